"""Tiny models that see, and runs of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.trainers.tiny import vision_language as tiny

from .support import TASK, drawn


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds the tiny model of a family once."""
    folder = tmp_path_factory.mktemp("families")

    def build(family: str) -> Path:
        target = folder / family
        if not target.exists():
            getattr(tiny, family)(target, TASK.sample)
        return target

    return build


@pytest.fixture
def go(workshop: Any, tmp_path: Path, models: Callable[[str], Path]) -> Any:
    """Trains on drawn pictures, or on the rows given; returns the outcome."""

    def train(
        family: str = "llava",
        task: str = "vlm-vqa",
        rows: list[dict[str, Any]] | None = None,
        code: int = 0,
        **changes: Any,
    ) -> Any:
        data = tmp_path / "rows"
        data.mkdir(exist_ok=True)
        rows = drawn(data, 24) if rows is None else rows
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (data / "train.jsonl").write_text(text, encoding="utf-8")
        quick = {
            "training.learning_rate": 0.003,
            "training.max_steps": 2,
            "training.per_device_train_batch_size": 4,
            "training.gradient_accumulation_steps": 1,
            "evaluation.max_new_tokens": 6,
        }
        return workshop.train(task, models(family), data, {**quick, **changes}, code)

    return train
