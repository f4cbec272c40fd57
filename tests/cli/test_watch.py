"""The lines that tell of a run, from the events that make them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest
from rich.console import Console

from luthier.agent.cli.watch.lines import LineWriter, ending
from luthier.agent.cli.watch.live import LiveView
from luthier.agent.cli.watch.picture import Picture
from luthier.agent.models import Run, StoredEvent
from luthier.agent.states import RunState
from luthier.trainers.events import (
    CheckpointEvent,
    ErrorEvent,
    EvaluationEvent,
    Event,
    MetricsEvent,
    PhaseEvent,
    PlacementEvent,
    ProgressEvent,
    SampleEvent,
    WarningEvent,
)


def a_run(state: RunState = RunState.RUNNING, **fields: Any) -> Run:
    known = {
        "id": "20261121-080000-abcd", "name": "violin", "task": "llm-sft", "model": "m",
        "host": "local", "created_at": 0.0, "folder": "/runs/x",
    }  # fmt: skip
    return Run(state=state, **{**known, **fields})


def stored(number: int, event: Event) -> StoredEvent:
    return StoredEvent(number=number, attempt=1, event=event.model_dump(mode="json"))


def lines_of(writer: LineWriter, events: Iterable[Event]) -> list[str]:
    return [
        line for number, each in enumerate(events, 1) for line in writer.event(stored(number, each))
    ]


@pytest.fixture
def writer() -> LineWriter:
    return LineWriter(Picture(a_run()))


def test_every_kind_of_news_has_its_line(writer: LineWriter) -> None:
    events: list[Event] = [
        PhaseEvent(name="loading", detail="tiny model"),
        PlacementEvent(
            devices=["cpu"], dtypes={"torch.float32": 2}, precision="no", strategy="single",
            world_size=1, trainable_parameters=1000, total_parameters=10_000,
        ),
        MetricsEvent(step=5, values={"loss": 1.5}),
        ProgressEvent(step=5, total=10, epoch=0.5, seconds_left=65),
        EvaluationEvent(step=5, values={"eval_loss": 1.25, "eval_runtime": 3.0}),
        SampleEvent(step=5, prompt="May 1\n1900", text="1900-05-01"),
        CheckpointEvent(step=5, path="artifacts/checkpoints/checkpoint-5", best=True),
        WarningEvent(message="row 3 is empty", where="train.jsonl"),
    ]  # fmt: skip
    assert lines_of(writer, events) == [
        "loading: tiny model",
        "on cpu (torch.float32), single, 1,000 of 10,000 parameters trained (10.00%)",
        "step 5/10   50%  epoch 0.50  1 min 05 s left  loss 1.5",
        "evaluation at step 5  eval_loss 1.25",
        "sample at step 5: May 1 1900 -> 1900-05-01",
        "checkpoint at step 5 (best so far)",
        "warning: train.jsonl: row 3 is empty",
    ]


def test_progress_makes_at_most_a_line_for_every_twentieth(writer: LineWriter) -> None:
    now = time.time()
    events = [ProgressEvent(t=now, step=step, total=1000) for step in range(1, 1001)]
    assert len(lines_of(writer, events)) == 21


def test_slow_progress_makes_a_line_every_minute(writer: LineWriter) -> None:
    events = [ProgressEvent(t=60.0 * step, step=step, total=100_000) for step in range(1, 11)]
    assert len(lines_of(writer, events)) == 10


def test_an_unknown_kind_of_event_makes_no_line(writer: LineWriter) -> None:
    unknown = StoredEvent(number=1, attempt=1, event={"kind": "song", "t": 0})
    assert list(writer.event(unknown)) == []


def test_a_state_is_told_once() -> None:
    writer = LineWriter(Picture(a_run(RunState.QUEUED)))
    queued = a_run(RunState.QUEUED, reason="waits for cpu")
    told = [
        line for run in (queued, queued, a_run(RunState.STARTING)) for line in writer.changed(run)
    ]
    assert told == [
        "20261121-080000-abcd is queued (waits for cpu)",
        "20261121-080000-abcd is starting",
    ]


def test_the_ending_says_why_and_what_next() -> None:
    run = a_run(
        RunState.FAILED, started_at=10.0, ended_at=75.0, reason="out of memory",
        hint="Lower the batch.", resumable=True,
    )  # fmt: skip
    assert list(ending(run)) == [
        "20261121-080000-abcd failed after 1 min 05 s",
        "reason: out of memory",
        "hint: Lower the batch.",
        "go on from its last checkpoint with: luthier resume 20261121-080000-abcd",
    ]


def test_a_new_attempt_forgets_the_last_one_s_error() -> None:
    picture = Picture(a_run(RunState.FAILED))
    picture.event(stored(1, ErrorEvent(type="ValueError", message="no")))
    picture.changed(a_run(RunState.STARTING))
    assert picture.error is None


def test_long_curves_are_thinned_but_keep_their_last_point() -> None:
    picture = Picture(a_run())
    for step in range(5000):
        picture.event(stored(step + 1, MetricsEvent(step=step, values={"loss": float(step)})))
    points = picture.metrics["loss"]
    assert len(points) <= 1024
    assert points[-1] == 4999.0
    assert points == sorted(points, key=lambda value: value or 0.0)


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_the_live_view_fits_any_width(width: int, unicode: bool) -> None:
    picture = Picture(a_run())
    events: list[Event] = [
        PhaseEvent(name="training"),
        ProgressEvent(step=5, total=10, epoch=0.5, seconds_left=65),
        MetricsEvent(step=5, values={"loss": 1.5, "learning_rate": 1e-4, "grad_norm": None}),
        MetricsEvent(step=6, values={"loss": 1.0}),
        SampleEvent(step=5, prompt="question " * 50, text="\x1b[2Janswer"),
        WarningEvent(message="careful"),
    ]
    for number, event in enumerate(events, 1):
        picture.event(stored(number, event))
    console = Console(width=width, force_terminal=False, highlight=False)
    with console.capture() as captured:
        console.print(LiveView(picture, unicode=unicode))
    drawn = captured.get()
    assert all(len(line) <= width for line in drawn.splitlines())
    assert "\x1b" not in drawn
    assert "training" in drawn
    if width > 40:
        assert "question question" in drawn
        assert "the run goes on" in drawn
    if not unicode:
        assert drawn.replace("�", "").isascii()
