"""Attempts as processes of their own: signals, stops, memory limits, several processes."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from luthier.trainers.engine.outcome import EXIT_RESTART
from luthier.trainers.events import (
    CheckpointEvent,
    DoneEvent,
    ErrorEvent,
    Event,
    MetricsEvent,
    PhaseEvent,
    PlacementEvent,
    WarningEvent,
    read_events,
)
from luthier.trainers.run_folder import RunFolder

_SECONDS = 120
_ENDLESS = {"training.max_steps": 1_000_000, "training.lr_scheduler_type": "constant"}


@pytest.fixture
def started(workshop: Any) -> Iterator[Any]:
    """Fork attempts, or start interpreters; what still runs at the end of the test is killed."""
    processes: list[Any] = []

    def start(run: RunFolder, number: int = 1, fresh: bool = False, **options: Any) -> Any:
        begin = workshop.start if fresh else workshop.fork
        processes.append(begin(run, number, **options))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for_step(process: Any, run: RunFolder, step: int, number: int = 1) -> None:
    from tests.training.conftest import wait_for

    def reached() -> bool:
        assert process.poll() is None, run.attempt(number).output.read_text()[-3000:]
        steps = [e.step for e in _events(run, number) if isinstance(e, MetricsEvent)]
        return bool(steps) and steps[-1] >= step

    wait_for(reached, _SECONDS)


def _events(run: RunFolder, number: int = 1) -> list[Event]:
    return read_events(run.attempt(number).events)


def _only(run: RunFolder, kind: type[Any], number: int = 1) -> Any:
    (found,) = [event for event in _events(run, number) if isinstance(event, kind)]
    return found


def test_sigterm_saves_and_leaves(workshop: Any, started: Any) -> None:
    run = workshop.run(workshop.settings(**_ENDLESS))
    process = started(run, fresh=True)
    _wait_for_step(process, run, 3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(_SECONDS) == 0
    done = _only(run, DoneEvent)
    assert done.stopped
    assert run.latest_checkpoint() == run.checkpoints / f"checkpoint-{done.step}"
    assert _only(run, CheckpointEvent).step == done.step


def test_stop_now_leaves_without_a_checkpoint(workshop: Any, started: Any) -> None:
    run = workshop.run(workshop.settings(**_ENDLESS))
    process = started(run)
    _wait_for_step(process, run, 3)
    run.attempt(1).stop_request.write_text(json.dumps({"now": True}))
    assert process.wait(_SECONDS) == 0
    done = _only(run, DoneEvent)
    assert (done.stopped, done.step > 0) == (True, True)
    assert run.latest_checkpoint() is None


def test_a_stop_during_preparation_leaves_at_once(workshop: Any, started: Any) -> None:
    rows = [{"prompt": f"say {n}", "completion": "x" * 50} for n in range(200_000)]
    run = workshop.run(workshop.settings(**{"data.path": str(workshop.data(rows, "many"))}))
    process = started(run)
    from tests.training.conftest import wait_for

    wait_for(lambda: [e for e in _events(run) if isinstance(e, PhaseEvent)], _SECONDS)
    run.attempt(1).stop_request.touch()
    assert process.wait(30) == 0
    assert _only(run, DoneEvent).stopped
    assert [e.name for e in _events(run) if isinstance(e, PhaseEvent)] == ["preflight"]


def test_a_stop_before_the_start_is_heard(workshop: Any) -> None:
    run = workshop.run(workshop.settings())
    run.attempt(1).path.mkdir()
    run.attempt(1).stop_request.touch()
    outcome = workshop.attempt(run)
    assert outcome.code == 0
    assert [event.kind for event in outcome.events] == ["done"]


def test_a_batch_that_does_not_fit_is_halved(workshop: Any, started: Any) -> None:
    # Short rows first: two steps fit, the third does not, and the run goes on from the second.
    rows = [{"prompt": "a", "completion": f"{n:03}"} for n in range(192)]
    rows += [{"prompt": "b" * 200, "completion": f"{n:03}" + "c" * 240} for n in range(96)]
    run = workshop.run(
        workshop.settings(
            **{
                "data.path": str(workshop.data(rows, "growing")),
                "data.validation_fraction": 0,
                "model.attn_implementation": "eager",
                "training.train_sampling_strategy": "sequential",
                "training.per_device_train_batch_size": 96,
                "training.max_steps": 3,
                "training.save_steps": 1,
            }
        )
    )
    limit = int(1.5 * 2**30)
    options = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))}
    codes = []
    for number in range(4):
        codes.append(started(run, fresh=True, **options).wait(_SECONDS))
        if not run.attempt(1).restart_request.exists():
            break
        run.attempt(1).restart_request.rename(run.attempt(1).path / f"restart-{number}.json")
    log = run.attempt(1).output.read_text()[-3000:]
    assert codes in ([EXIT_RESTART, 0], [EXIT_RESTART, EXIT_RESTART, 0]), log
    changed = json.loads(run.attempt(1).adjustments.read_text())
    batch, steps = changed["per_device_train_batch_size"], changed["gradient_accumulation_steps"]
    assert (batch * steps, changed["retries"]) == (96, len(codes) - 1)
    warnings = [event for event in _events(run) if isinstance(event, WarningEvent)]
    spoken = [event for event in warnings if "Memory ran out" in event.message]
    assert len(spoken) == changed["retries"]
    losses = [event.step for event in _events(run) if isinstance(event, MetricsEvent)]
    assert losses == [1, 2, 3]
    assert _only(run, DoneEvent).step == 3


_TWO = {
    "launch.processes": 2,
    "training.per_device_train_batch_size": 2,
    "training.max_steps": 9,
    "training.num_train_epochs": 9,
    "training.save_steps": 100,
    "peft.lora_dropout": 0.0,
    "evaluation.strategy": "epoch",
}


def _split(workshop: Any) -> str:
    """Rows that two processes can share evenly."""
    rows = [{"prompt": f"count to {n}", "completion": "1 " * (n % 7 + 1)} for n in range(16)]
    folder = workshop.folder / "split"
    folder.mkdir()
    workshop.data(rows, "split/train")
    workshop.data(rows[:4], "split/validation")
    return str(folder)


def _alike(several: list[Event], alone: list[Event]) -> None:
    """The same curves, but for the order in which numbers were added."""
    for name in ("loss", "grad_norm", "num_tokens", "mean_token_accuracy"):
        curves = [
            {event.step: event.values[name] for event in events if isinstance(event, MetricsEvent)}
            for events in (several, alone)
        ]
        assert curves[0] == pytest.approx(curves[1], rel=1e-3)


def test_two_processes_are_one_run(workshop: Any, started: Any) -> None:
    settings = {**_TWO, "data.path": _split(workshop)}
    run = workshop.run(workshop.settings(**settings))
    process = started(run)
    _wait_for_step(process, run, 2)
    # One of the processes alone hears it, and all leave after the same step.
    workers = psutil.Process(process.pid).children(recursive=True)
    workers[-1].send_signal(signal.SIGTERM)
    assert process.wait(_SECONDS) == 0
    stopped = _only(run, DoneEvent)
    assert (stopped.stopped, stopped.step < 9) == (True, True)
    assert started(run, 2).wait(_SECONDS) == 0
    assert not _only(run, DoneEvent, 2).stopped
    place = _only(run, PlacementEvent, 2)
    assert (place.strategy, place.world_size, place.devices) == ("ddp", 2, ["cpu", "cpu"])
    alone = {**settings, "launch.processes": 1, "training.per_device_train_batch_size": 4}
    _alike([*_events(run), *_events(run, 2)], workshop.go(**alone).events)


def test_two_processes_on_plain_text(workshop: Any, started: Any) -> None:
    settings = {**_TWO, "data.path": _split(workshop), "training.block_size": 12}
    settings["training.dataloader_drop_last"] = True
    run = workshop.run(workshop.settings("llm-generic", **settings))
    assert started(run).wait(_SECONDS) == 0
    alone = {**settings, "launch.processes": 1, "training.per_device_train_batch_size": 4}
    _alike(_events(run), workshop.go("llm-generic", **alone).events)


def test_what_runs_otherwise_than_asked_is_an_error(workshop: Any, started: Any) -> None:
    # Without a GPU the libraries take plain data parallelism for FSDP and say nothing.
    run = workshop.run(
        workshop.settings(
            **{
                "launch.processes": 2,
                "launch.strategy": "fsdp",
                "launch.fsdp_config": {"fsdp_version": 2},
            }
        )
    )
    assert started(run).wait(_SECONDS) == 1
    error = _only(run, ErrorEvent)
    assert error.type == "TrainingError"
    assert "launch.strategy is ddp, not fsdp" in error.message
    assert not [event for event in _events(run) if isinstance(event, MetricsEvent)]


def test_a_mistake_in_the_data_of_two_processes(
    workshop: Any, started: Any, tmp_path: Path
) -> None:
    run = workshop.run(
        workshop.settings(**{"launch.processes": 2, "data.path": str(tmp_path / "absent.csv")})
    )
    assert started(run).wait(_SECONDS) == 2
    assert "absent.csv" in _only(run, ErrorEvent).message
