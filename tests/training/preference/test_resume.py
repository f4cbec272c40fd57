"""Interrupted runs of preferences, labels and rewards, and batches made smaller."""

from __future__ import annotations

from typing import Any

import pytest
from safetensors.numpy import load_file

from luthier.trainers.engine.job import Adjustments
from luthier.trainers.events import (
    DoneEvent,
    ErrorEvent,
    EvaluationEvent,
    MetricsEvent,
)
from luthier.trainers.run_folder import RunFolder, write_json

from .support import WHOLE, Row, curve


def _weights(run: RunFolder) -> dict[str, Any]:
    folder = run.adapter if run.adapter.exists() else run.model
    (path,) = folder.glob("*.safetensors")
    return load_file(path)


_LONG = {
    "training.max_steps": 9,
    "training.logging_steps": 2,
    "training.gradient_accumulation_steps": 2,
    "training.warmup_steps": 2,
    "training.disable_dropout": False,
}
_MOVING = {"training.sync_ref_model": True, "training.ref_model_sync_steps": 2}
_SEVERAL_STEPS = {
    **_LONG,
    "training.gradient_accumulation_steps": 1,
    "training.generation_batch_size": 12,
    "training.num_iterations": 2,
    "training.beta": 0.05,
}


@pytest.mark.parametrize(
    ("task", "changes", "step"),
    [
        ("llm-dpo", {**_LONG, **WHOLE, "training.precompute_ref_log_probs": True}, 4),
        ("llm-dpo", {**_LONG, **WHOLE, **_MOVING}, 4),
        ("llm-orpo", _LONG, 4),
        ("llm-kto", {**_LONG, "training.precompute_ref_log_probs": True}, 6),
        ("llm-reward", _LONG, 4),
        ("llm-grpo", _SEVERAL_STEPS, 4),
        ("llm-distill", {**_LONG, **WHOLE}, 4),
    ],
)
def test_interrupted_equals_uninterrupted(
    workshop: Any, settings: Any, go: Any, stop_after: Any, task: str, changes: Row, step: int
) -> None:
    whole = go(task, **changes)
    run = workshop.run(settings(task, **changes))
    stop_after(step)
    first = workshop.attempt(run, 1)
    assert first.code == 0, first.of(ErrorEvent)
    assert first.of(DoneEvent)[0].stopped
    second = workshop.attempt(run, 2)
    assert second.code == 0, second.of(ErrorEvent)
    both = first.events + second.events
    assert curve(MetricsEvent, both) == curve(MetricsEvent, whole.events)
    assert curve(EvaluationEvent, both) == curve(EvaluationEvent, whole.events)
    expected, found = _weights(whole.run), _weights(run)
    assert expected.keys() == found.keys()
    assert all((expected[name] == found[name]).all() for name in expected)


def _smaller(run: RunFolder) -> None:
    """What the memory ladder leaves behind after one retry."""
    halved = Adjustments(per_device_train_batch_size=2, gradient_accumulation_steps=2, retries=1)
    write_json(run.attempt(1).adjustments, halved.model_dump())


@pytest.mark.parametrize("task", ["llm-dpo", "llm-kto", "llm-grpo"])
def test_a_smaller_batch_goes_on_with_the_same_rows(
    workshop: Any, settings: Any, go: Any, stop_after: Any, task: str
) -> None:
    changes = {"training.max_steps": 6, "evaluation.strategy": "no"}
    # A group's answers cannot be told from each other when their rewards are the same.
    changes |= {"training.num_generations": 4} if task == "llm-grpo" else {}
    whole = go(task, **changes)
    run = workshop.run(settings(task, **changes))
    stop_after(3)
    first = workshop.attempt(run, 1)
    assert first.of(DoneEvent)[0].step == 4
    _smaller(run)
    second = workshop.attempt(run, 2)
    assert second.code == 0, second.of(ErrorEvent)
    assert second.losses.keys() == {5, 6}
    tokens = [
        event.values["num_tokens"] for event in (*first.of(MetricsEvent), *second.of(MetricsEvent))
    ]
    assert tokens == [event.values["num_tokens"] for event in whole.of(MetricsEvent)]
