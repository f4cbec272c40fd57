"""What ``luthier data inspect`` says about a dataset whose every fault is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Outcome

Luthier = Callable[..., Outcome]
LONG = "Say it again. " * 30


@pytest.fixture
def messy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """data/train.csv with an empty, a repeated and a long row, and one of them to measure on."""
    rows = [f"Say {number},It is {number}" for number in range(20)]
    rows[4] = rows[1]
    rows[8] = ",It is 8"
    rows[19] = f"{LONG},yes"
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.csv").write_text("\n".join(["prompt,completion", *rows]), encoding="utf-8")
    (data / "validation.csv").write_text(
        "prompt,completion\nSay 2,It is 2\nSay 90,It is 90\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)


def test_the_report_says_all_there_is_to_know(luthier: Luthier, messy: None) -> None:
    told = luthier("data", "inspect", "data")
    assert told.code == 0
    text = " ".join(told.out.split())
    assert "prompt-completion" in text
    assert "20 rows, 19 of them used, 12 to" in text
    assert "validation 2 rows" in text
    assert "Say 0[[It is 0]]" in text
    assert text.count("warning: ") == 3
    assert "row 9: prompt is empty in 1 of 20 rows" in text
    assert "row 5: 1 row is the same as an earlier row" in text
    assert "row 1: 1 of 2 validation prompts (50.0%) occur in the training rows" in text


def test_as_json_it_is_one_value(luthier: Luthier, messy: None) -> None:
    report = luthier("data", "inspect", "data", "--json").json
    assert (report["train"]["rows"], report["train"]["used"]) == (20, 19)
    assert report["train"]["lengths"]["maximum"] == len(LONG) + len("yes")
    assert [column["nulls"] for column in report["columns"]] == [1, 0]
    assert len(report["warnings"]) == 3
    assert report["problems"] == []


def test_a_model_tells_what_is_cut(luthier: Luthier, messy: None) -> None:
    from luthier.trainers.demo import MODEL

    told = luthier("data", "inspect", "data", "--model", MODEL, "--set", "training.max_length=64")
    assert told.code == 0
    text = " ".join(told.out.split())
    assert "1 of 19 rows (5.3%) are longer than 64 tokens and will be cut" in text


def test_what_a_run_would_refuse_ends_with_2(luthier: Luthier, messy: None) -> None:
    Path("data/train.csv").write_text("prompt,completion\n,\n,\nSay 1,It is 1\n", encoding="utf-8")
    refused = luthier("data", "inspect", "data")
    assert refused.code == 2
    assert "prompt is empty in 2 of 3 rows" in refused.err
