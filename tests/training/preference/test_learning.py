"""What preferences, rewards and teachers can teach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier.trainers.events import (
    DoneEvent,
    MetricsEvent,
)

from .support import WHOLE

_LEARNING = {
    "training.max_steps": 40,
    "training.per_device_train_batch_size": 8,
    "training.learning_rate": 0.01,
    "evaluation.steps": 20,
    "peft.lora_dropout": 0.0,
    "peft.r": 8,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "figure", "least"),
    [
        ("llm-dpo", "rewards/margins", 0.5),
        ("llm-orpo", "rewards/margins", 0.02),
        ("llm-kto", "rewards/margins", 0.3),
        ("llm-reward", "margin", 1.0),
    ],
)
def test_preferences_are_learnt(go: Any, task: str, figure: str, least: float) -> None:
    done = go(task, **_LEARNING)
    curve = [event.values[figure] for event in done.of(MetricsEvent) if figure in event.values]
    assert curve[-1] - curve[0] > least
    assert done.of(DoneEvent)[0].metrics[f"eval_{figure}"] > least


@pytest.mark.slow
def test_rewards_rise(go: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "def digits(completions, **_):\n"
        "    texts = [c[0]['content'] for c in completions]\n"
        "    return [sum(x.isdigit() for x in t) / max(len(t), 1) for t in texts]\n"
    )
    changes = {
        **_LEARNING,
        **WHOLE,
        "training.max_steps": 60,
        "training.learning_rate": 0.005,
        "training.per_device_train_batch_size": 16,
        "training.max_completion_length": 8,
        "rewards.functions": [f"{own}:digits"],
        "rewards.weights": [],
    }
    curve = [event.values["reward"] for event in go("llm-grpo", **changes).of(MetricsEvent)]
    assert sum(curve[:5]) / 5 < 0.2
    assert sum(curve[-5:]) / 5 > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("lmbda", [0.0, 1.0])
def test_a_student_comes_near_its_teacher(go: Any, lmbda: float) -> None:
    changes = {**_LEARNING, **WHOLE, "training.lmbda": lmbda, "training.learning_rate": 0.02}
    done = go("llm-distill", **changes)
    losses = [event.values["loss"] for event in done.of(MetricsEvent)]
    assert losses[-1] < 0.5 * losses[0]
