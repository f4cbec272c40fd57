"""Every task either has weights for rows and classes, or says in one sentence that it has not."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.trainers.errors import SpecError
from luthier.trainers.registry import tasks
from luthier.trainers.spec.file import build_spec

# tests/training proves for each of these that the loss counts as the weights say.
_ROWS = {
    "llm-sft",
    "llm-generic",
    "text-classification",
    "text-regression",
    "token-classification",
    "extractive-question-answering",
    "seq2seq",
    "image-classification",
    "image-regression",
    "vlm-captioning",
    "vlm-vqa",
    "tabular-classification",
    "tabular-regression",
    "st-pair-class",
}
# With the losses that look at one row at a time.
_ROWS_BY_LOSS = {"st-pair-score": "cosine-similarity", "st-triplet": "triplet"}
_CLASSES = {
    "text-classification",
    "token-classification",
    "image-classification",
    "st-pair-class",
}


def _settings(task: str, section: str, key: str, value: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"task": task, "data": {"path": "rows.csv"}}
    if not task.startswith("tabular"):
        settings["model"] = {"name_or_path": "model"}
    for name, part, setting in (
        ("llm-grpo", "rewards", {"functions": ["exact_match"]}),
        ("llm-distill", "training", {"teacher_model_name_or_path": "teacher"}),
    ):
        if task == name:
            settings[part] = setting
    settings.setdefault(section, {})[key] = value
    return settings


def _refusals(settings: dict[str, Any]) -> list[str]:
    try:
        build_spec(settings)
    except SpecError as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize("task", tasks())
def test_weights_of_rows(task: str) -> None:
    settings = _settings(task, "data", "weight_column", "weight")
    said = _refusals(settings)
    if task in _ROWS:
        assert said == []
        return
    assert len(said) == 1
    assert said[0].startswith("data.weight_column: ")
    assert "leave it out" in said[0]
    if task in _ROWS_BY_LOSS:
        assert _ROWS_BY_LOSS[task] in said[0]
        settings["training"] = {"loss": _ROWS_BY_LOSS[task]}
        assert _refusals(settings) == []


@pytest.mark.parametrize("task", tasks())
def test_weights_of_classes(task: str) -> None:
    said = _refusals(_settings(task, "training", "class_weights", "balanced"))
    if task.startswith("tabular"):
        assert "class_weight" in said[0]
    elif task in _CLASSES:
        assert said == []
    else:
        (text,) = said
        assert text.startswith("training.class_weights: ")
        assert "leave it out" in text
