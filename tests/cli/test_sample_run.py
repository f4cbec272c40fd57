"""A stranger's way with a task that loads no network: sample, run, report, prediction."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from luthier.trainers.registry import find_task

LUTHIER = Path(sys.executable).with_name("luthier")


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Any]:
    """Runs a command in a home of its own; it must end well."""

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [LUTHIER, "--home", str(tmp_path / "home"), *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    yield run
    run("agent", "stop")


def test_a_table_from_sample_to_prediction(call: Any, tmp_path: Path) -> None:
    call("init", "tabular-classification", "--sample", "-o", "spec.yaml")
    ended = json.loads(
        call("run", "spec.yaml", "--wait", "--json", "--set", "training.num_trials=4")
    )
    assert ended["state"] == "succeeded"
    assert ended["model"] == "lightgbm, xgboost, random_forest, logistic_regression"
    shown = call("show", ended["id"])
    assert "Confusion matrix" in shown
    assert "Columns that matter" in shown
    sample = find_task("tabular-classification").sample / "train.csv"
    (tmp_path / "new.csv").write_text("".join(sample.open().readlines()[:4]), encoding="utf-8")
    lines = call("predict", ended["id"], "new.csv").splitlines()
    found = [json.loads(line) for line in lines]
    assert [each["where"] for each in found] == ["new.csv row 1", "new.csv row 2", "new.csv row 3"]
    assert [each["prediction"]["label"] for each in found] == [
        each["input"]["label"] for each in found
    ]
