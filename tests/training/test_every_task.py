"""Every task of the registry: trained by the real worker, killed, resumed, reloaded, asked.

A new task is tested by being there. What it needs is its sample data and, unless it trains
without one, its tiny model.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from luthier.trainers.events import CheckpointEvent, DoneEvent, EvaluationEvent, read_events
from luthier.trainers.predicting.inputs import given_rows, read_inputs
from luthier.trainers.registry import Task, tasks
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec import GradientSpec

from .cards import run_card

_GRADIENT = [
    task.id for task in tasks().values() if issubclass(task.spec, GradientSpec) and task.tiny
]
_OTHERS = [task.id for task in tasks().values() if not issubclass(task.spec, GradientSpec)]
_STEPS, _SAVED = 24, 3
_TRIES = 3


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Builds a task's tiny model once."""
    folder = tmp_path_factory.mktemp("tiny")

    def build(task: Task) -> Path:
        target = folder / task.id
        if not target.exists():
            task.imported("tiny")(target, task.sample)
        return target

    return build


def _settings(task: Task, model: Path | None, **more: Any) -> dict[str, Any]:
    """A short run on the sample data, as ``init --sample`` sets it up."""
    settings: dict[str, Any] = {
        "task": task.id,
        "data": {"path": str(task.sample)},
        "launch": {"devices": "cpu", "offline": True, "threads": 1, "precision": "no"},
    }
    if model is not None:
        settings["model"] = {"name_or_path": str(model)}
    quick = task.quick_settings(str(model) if model else None)
    for key, value in {**quick, **more}.items():
        section, _, name = key.partition(".")
        settings.setdefault(section, {})[name] = value
    return settings


def _short(task: Task, model: Path, **more: Any) -> dict[str, Any]:
    short = {
        "training.max_steps": _STEPS,
        "training.save_steps": _SAVED,
        "training.per_device_train_batch_size": 4,
        "training.logging_steps": 5,
        "evaluation.strategy": "steps",
        "evaluation.steps": 10,
    }
    return _settings(task, model, **{**short, **more})


def _artifact(run: RunFolder) -> Path:
    return run.adapter if run.adapter.exists() else run.model


def _weights(run: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(_artifact(run).rglob("*.safetensors")):
        found |= {f"{path.name}/{name}": value for name, value in load_file(path).items()}
    return found


def _killed(workshop: Any, settings: dict[str, Any]) -> RunFolder:
    """A run whose worker was killed after its first checkpoint."""
    for _ in range(_TRIES):
        run: RunFolder = workshop.run(settings)
        process = workshop.fork(run)
        events = run.attempt(1).events
        while process.poll() is None:
            if any(isinstance(event, CheckpointEvent) for event in read_events(events)):
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.005)
        # A quick worker may have ended before the signal came.
        if process.wait(60) == -signal.SIGKILL:
            return run
        assert process.returncode == 0, run.attempt(1).output.read_text()[-3000:]
    raise AssertionError("the worker always ended before it could be killed")


def _predict(task: Task, run: RunFolder) -> list[dict[str, Any]]:
    report = json.loads(run.preflight.read_text(encoding="utf-8"))
    assert task.inputs is not None
    roles = (*task.inputs.roles, *task.inputs.optional)
    samples = report["sample_inputs"][:3]
    rows = [{r: v for r, v in row.items() if not roles or r in roles} for row in samples]
    predictor = task.imported("predict")(run, "cpu")
    given = given_rows(task, rows)
    found: list[dict[str, Any]] = predictor.predict([each.values for each in given])
    assert len(found) == len(rows)
    json.dumps(found, allow_nan=False)
    # One at a time or together, the answers are the same.
    alone = [predictor.predict([each.values])[0] for each in given]
    assert [list(one) for one in alone] == [list(one) for one in found]
    files = sorted(task.sample.glob("*.jsonl"))
    if files:
        inputs = read_inputs(task, str(files[0]), report["parts"])
        assert len(inputs) == len(files[0].read_text(encoding="utf-8").splitlines())
    return found


@pytest.mark.parametrize("task_id", _GRADIENT)
def test_killed_resumed_reloaded_asked(workshop: Any, tiny: Any, task_id: str) -> None:
    task = tasks()[task_id]
    settings = _short(task, tiny(task))
    whole = workshop.attempt(workshop.run(settings))
    assert whole.code == 0, [event for event in whole.events if event.kind == "error"]
    (done,) = whole.of(DoneEvent)
    assert (done.stopped, done.step) == (False, _STEPS)
    evaluations = whole.of(EvaluationEvent)
    assert {event.step for event in evaluations} >= {10, 20}
    measured = {name for event in evaluations for name in event.values}
    assert task.metrics[0] in measured

    run = _killed(workshop, settings)
    again = workshop.attempt(run, 2)
    assert again.code == 0, [event for event in again.events if event.kind == "error"]
    assert json.loads(run.provenance.read_text())["resumed_from"].startswith("checkpoint-")
    expected, found = _weights(whole.run), _weights(run)
    assert expected
    assert expected.keys() == found.keys()
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
    assert not list(_artifact(run).rglob("*.bin"))
    assert not list(_artifact(run).rglob("*.pkl"))

    assert run_card(_artifact(run))
    if task.predict:
        _predict(task, run)


@pytest.mark.parametrize("task_id", _OTHERS)
def test_trained_reloaded_asked(workshop: Any, task_id: str) -> None:
    task = tasks()[task_id]
    done = workshop.attempt(workshop.run(_settings(task, None)))
    assert done.code == 0, [event for event in done.events if event.kind == "error"]
    assert task.metrics[0] in done.of(DoneEvent)[0].metrics
    assert run_card(_artifact(done.run))
    assert not list(_artifact(done.run).rglob("*.pkl"))
    _predict(task, done.run)


@pytest.mark.parametrize(
    "task_id",
    [
        name
        for name in _GRADIENT
        if tasks()[name].rules and tasks()[name].family in ("text", "image")
    ],
)
def test_an_adapter_keeps_its_head(workshop: Any, tiny: Any, task_id: str) -> None:
    task = tasks()[task_id]
    settings = _short(task, tiny(task), **{"peft.method": "lora", "peft.r": 4})
    done = workshop.attempt(workshop.run(settings))
    assert done.code == 0, [event for event in done.events if event.kind == "error"]
    assert (done.run.adapter / "config.json").exists()
    before = _predict(task, done.run)
    assert run_card(done.run.adapter)
    # The card and the predictor load the same head, not a random one.
    assert _predict(task, done.run) == before
