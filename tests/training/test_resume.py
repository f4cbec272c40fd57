"""A run that is interrupted and resumed is the run that was not."""

from __future__ import annotations

from typing import Any

import pytest
from safetensors.numpy import load_file

from luthier.trainers.engine.job import Reporter
from luthier.trainers.events import DoneEvent, EvaluationEvent, Event, MetricsEvent
from luthier.trainers.run_folder import RunFolder

_SFT = {
    "training.max_steps": 13,
    "training.logging_steps": 3,
    "training.gradient_accumulation_steps": 2,
    "training.save_steps": 5,
    "training.neftune_noise_alpha": 5.0,
    "training.lr_scheduler_type": "cosine",
    "training.warmup_steps": 2,
    "evaluation.strategy": "epoch",
}


def _weights(run: RunFolder) -> dict[str, Any]:
    (path,) = (
        run.adapter.glob("*.safetensors") if run.adapter.exists() else run.model.glob("*.saf*")
    )
    return load_file(path)


def _curve(events: list[Event]) -> list[tuple[int, dict[str, float | None]]]:
    """Metrics by step without the clock's; the later attempt's word counts."""
    found = {
        event.step: {k: v for k, v in event.values.items() if k != "tokens_per_second"}
        for event in events
        if isinstance(event, MetricsEvent)
    }
    return sorted(found.items())


def _evaluations(events: list[Event]) -> dict[int, float | None]:
    return {e.step: e.values["eval_loss"] for e in events if isinstance(e, EvaluationEvent)}


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask for a stop, by the file, at the log of a step; the worker leaves a step later."""
    write = Reporter.emit

    def arrange(step: int) -> None:
        def emit(self: Reporter, event: Event) -> None:
            write(self, event)
            if isinstance(event, MetricsEvent) and event.step == step:
                self.attempt.stop_request.write_text("{}", encoding="utf-8")

        monkeypatch.setattr(Reporter, "emit", emit)

    return arrange


@pytest.mark.parametrize(
    ("task", "changes", "steps"),
    [
        ("llm-sft", _SFT, [1, 3, 6, 9]),
        ("llm-sft", {**_SFT, "training.packing": True, "training.max_length": 64}, [3, 9]),
        ("llm-sft", {**_SFT, "training.train_sampling_strategy": "group_by_length"}, [6]),
        ("llm-sft", {**_SFT, "peft.method": "none", "training.optim": "adamw_torch"}, [6]),
        ("llm-generic", _SFT, [1, 3, 6, 9]),
    ],
)
def test_interrupted_equals_uninterrupted(
    workshop: Any, stop_after: Any, monkeypatch: Any, task: str, changes: Any, steps: list[int]
) -> None:
    whole = workshop.go(task, **changes)
    for step in steps:
        run = workshop.run(workshop.settings(task, **changes))
        stop_after(step)
        first = workshop.attempt(run, 1)
        assert first.code == 0
        (done,) = first.of(DoneEvent)
        assert (done.stopped, done.step) == (True, step + 1)
        second = workshop.attempt(run, 2)
        assert second.code == 0
        assert _curve(first.events + second.events) == _curve(whole.events)
        assert _evaluations(first.events + second.events) == _evaluations(whole.events)
        expected, found = _weights(whole.run), _weights(run)
        assert expected.keys() == found.keys()
        assert all((expected[name] == found[name]).all() for name in expected)
        assert second.of(DoneEvent)[0].metrics == _except_clock(whole, second)


def _except_clock(whole: Any, second: Any) -> dict[str, float | None]:
    metrics = dict(whole.of(DoneEvent)[0].metrics)
    clock = {
        k: v
        for k, v in second.of(DoneEvent)[0].metrics.items()
        if "per_second" in k or "runtime" in k
    }
    return metrics | clock
