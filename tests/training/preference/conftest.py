"""A teacher, and quick runs of every task of preferences and rewards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
)

from .support import LENGTH, ROWS, Row


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A larger model of the same vocabulary."""
    folder = tmp_path_factory.mktemp("teacher")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    config = AutoConfig.from_pretrained(tiny_model, num_hidden_layers=3)
    torch.manual_seed(5)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def settings(workshop: Any, teacher: Path) -> Any:
    """The settings of a quick run of a task on rows of its kind."""

    def make(task: str, rows: list[Row] | None = None, **changes: Any) -> Row:
        workshop.data(ROWS[task] if rows is None else rows)
        own: Row = {"evaluation.strategy": "steps", "evaluation.steps": 3}
        if task == "llm-grpo":
            own |= {"training.max_completion_length": 6, **LENGTH}
        if task == "llm-distill":
            own["training.teacher_model_name_or_path"] = str(teacher)
            own["training.max_new_tokens"] = 6
        made: Row = workshop.settings(task, **{**own, **changes})
        return made

    return make


@pytest.fixture
def go(workshop: Any, settings: Any) -> Any:
    """A run's first attempt, which must succeed."""

    def run(task: str, rows: list[Row] | None = None, **changes: Any) -> Any:
        return workshop.finished(settings(task, rows, **changes))

    return run
