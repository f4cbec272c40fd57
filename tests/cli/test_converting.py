"""Configurations of AutoTrain on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from luthier.trainers.spec.file import load_spec

_CONFIGURATION = {
    "task": "text_classification",
    "base_model": "distilbert/distilbert-base-uncased",
    "project_name": "moods",
    "log": "none",
    "backend": "local",
    "data": {
        "path": "rows",
        "train_split": "train",
        "valid_split": None,
        "column_mapping": {"text_column": "text", "target_column": "mood"},
    },
    "params": {"epochs": 2, "lr": 2e-5, "padding": "right"},
}


def test_a_configuration_becomes_a_spec(luthier: Any, tmp_path: Path) -> None:
    Path("config.yml").write_text(yaml.safe_dump(_CONFIGURATION), encoding="utf-8")
    done = luthier("convert", "config.yml")
    assert (done.code, "Wrote text-classification.yaml" in done.out) == (0, True)
    assert "padding is left out" in done.err
    spec = load_spec(Path("text-classification.yaml"))
    assert (spec.name, spec.data.column_mapping) == ("moods", {"text": "text", "label": "mood"})
    again = luthier("convert", "config.yml")
    assert again.code != 0
    assert "exists already" in again.errors[0]
    shown = luthier("convert", "config.yml", "-o", "-")
    assert yaml.safe_load(shown.out)["training"]["num_train_epochs"] == 2
    told = luthier("convert", "config.yml", "--force", "--json").json
    assert (told["task"], len(told["remarks"])) == ("text-classification", 1)


def test_a_value_that_cannot_be_is_named(luthier: Any) -> None:
    wrong = {**_CONFIGURATION, "params": {"lr": "fast"}}
    Path("config.yml").write_text(yaml.safe_dump(wrong), encoding="utf-8")
    refused = luthier("convert", "config.yml")
    assert refused.code == 2
    assert "training.learning_rate" in refused.errors[0]
    assert not Path("text-classification.yaml").exists()
