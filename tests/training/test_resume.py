"""A run that is interrupted and resumed is the run that was not."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest
from safetensors.numpy import load_file
from transformers import TrainerState

from luthier.trainers.engine.job import Adjustments
from luthier.trainers.events import DoneEvent, ErrorEvent, EvaluationEvent, Event, MetricsEvent
from luthier.trainers.run_folder import RunFolder, write_json

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

# Every log is followed by an evaluation, which a stop then cuts short.
_MEASURED = {
    "evaluation.strategy": "steps",
    "evaluation.steps": 3,
    "evaluation.per_device_eval_batch_size": 1,
    "evaluation.load_best_model_at_end": True,
    "training.save_steps": 6,
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


@pytest.mark.parametrize(
    ("task", "changes", "steps"),
    [
        ("llm-sft", _SFT, [1, 3, 6, 9]),
        ("llm-sft", {**_SFT, "training.packing": True, "training.max_length": 64}, [3, 9]),
        ("llm-sft", {**_SFT, "training.train_sampling_strategy": "group_by_length"}, [6]),
        ("llm-sft", {**_SFT, "peft.method": "none", "training.optim": "adamw_torch"}, [6]),
        ("llm-generic", _SFT, [1, 6]),
        ("llm-sft", {**_SFT, **_MEASURED}, [3, 6, 12]),
        ("llm-generic", {**_SFT, **_MEASURED}, [6]),
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
        # At a step that is measured, the stop comes in the middle of the evaluation.
        assert (done.stopped, done.step - step in (0, 1)) == (True, True)
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


@pytest.mark.parametrize("task", ["llm-sft", "llm-generic"])
@pytest.mark.parametrize("order", ["random", "group_by_length"])
def test_a_smaller_batch_goes_on_with_the_same_rows(
    workshop: Any, stop_after: Any, task: str, order: str
) -> None:
    changes = {
        "training.max_steps": 9,
        "training.train_sampling_strategy": order,
        "peft.lora_dropout": 0.0,
    }
    whole = workshop.go(task, **changes)
    run = workshop.run(workshop.settings(task, **changes))
    # In the middle of the second epoch.
    stop_after(6)
    first = workshop.attempt(run, 1)
    assert first.of(DoneEvent)[0].step == 7
    smaller = Adjustments(per_device_train_batch_size=2, gradient_accumulation_steps=2, retries=1)
    write_json(run.attempt(1).adjustments, smaller.model_dump())
    second = workshop.attempt(run, 2)
    assert second.losses.keys() == {8, 9}
    assert first.losses | second.losses == pytest.approx(whole.losses, rel=1e-4)


def test_patience_is_resumed(workshop: Any, stop_after: Any) -> None:
    # A falling loss that is to rise never improves: patience ends with the fourth evaluation.
    changes = {
        "training.max_steps": 20,
        "evaluation.strategy": "steps",
        "evaluation.steps": 1,
        "evaluation.early_stopping_patience": 3,
        "evaluation.greater_is_better": True,
    }
    run = workshop.run(workshop.settings(**changes))
    stop_after(2)
    assert workshop.attempt(run, 1).of(DoneEvent)[0].step == 2
    second = workshop.attempt(run, 2)
    (done,) = second.of(DoneEvent)
    assert (done.stopped, done.step) == (False, 4)


def test_a_checkpoint_cut_short_does_not_count(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = TrainerState.save_to_json

    def full_disk(self: TrainerState, path: str) -> None:
        if "checkpoint-4" in path:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        write(self, path)

    changes = {"training.save_steps": 2, "training.max_steps": 5}
    whole = workshop.go(**changes)
    run = workshop.run(workshop.settings(**changes))
    with monkeypatch.context() as patch:
        patch.setattr(TrainerState, "save_to_json", full_disk)
        first = workshop.attempt(run, 1)
    assert first.code == 1
    (error,) = first.of(ErrorEvent)
    assert "disk is full" in error.message
    assert "space" in error.hint
    assert (run.checkpoints / "checkpoint-4" / "optimizer.pt").exists()
    assert run.latest_checkpoint() == run.checkpoints / "checkpoint-2"
    (run.checkpoints / "checkpoint-4" / "trainer_state.json").write_text('{"epoch": 1.')
    assert run.latest_checkpoint() == run.checkpoints / "checkpoint-2"

    second = workshop.attempt(run, 2)
    assert second.code == 0
    assert [event.step for event in second.of(MetricsEvent)] == [3, 4, 5]
    assert _curve(first.events + second.events) == _curve(whole.events)
    assert json.loads(run.provenance.read_text())["resumed_from"] == "checkpoint-2"


@pytest.mark.parametrize(
    "changes",
    [
        {"training.save_steps": 2},
        {
            "training.save_steps": 1,
            "training.max_steps": 20,
            "evaluation.strategy": "steps",
            "evaluation.steps": 1,
            "evaluation.early_stopping_patience": 2,
            "evaluation.greater_is_better": True,
        },
    ],
)
def test_a_finished_training_is_only_saved_again(workshop: Any, changes: Any) -> None:
    done = workshop.go(**changes)
    before = (done.run.adapter / "adapter_model.safetensors").read_bytes()
    again = workshop.attempt(done.run, 2)
    assert again.code == 0
    assert not again.of(MetricsEvent)
    assert again.of(DoneEvent)[0].step == done.of(DoneEvent)[0].step
    assert (done.run.adapter / "adapter_model.safetensors").read_bytes() == before
