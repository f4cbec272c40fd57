"""The state: messages go in once, topics come out, and what is not looked at stays small."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.models import Message, Run, Series
from luthier.agent.states import RunState
from luthier.tui.state import ClientState


def run(run_id: str, **values: Any) -> Run:
    facts = {
        "name": run_id, "task": "llm-sft", "model": "m", "host": "local",
        "state": RunState.RUNNING, "created_at": 1.0, "folder": "/runs",
    }  # fmt: skip
    return Run(id=run_id, **{**facts, **values})


def message(sequence: int, kind: Any, run_id: str | None = None, **data: Any) -> Message:
    return Message(sequence=sequence, t=0.0, type=kind, run_id=run_id, data=data)


def loss(step: int, value: float, **more: float) -> dict[str, Any]:
    return {"t": 1.0, "kind": "metrics", "step": step, "epoch": 0.0,
            "values": {"loss": value, **more}}  # fmt: skip


def events(sequence: int, run_id: str, *found: dict[str, Any]) -> Message:
    return message(sequence, "events", run_id, attempt=1, events=list(found))


def series(name: str, points: dict[int, float]) -> Series:
    steps, values = list(points), list(points.values())
    return Series(
        name=name, bucket=1, steps=steps, values=values, minimum=values, maximum=values
    )  # fmt: skip


@pytest.fixture
def state() -> ClientState:
    found = ClientState()
    found.connected([run("a"), run("b")], 10)
    return found


def curve(state: ClientState, run_id: str, name: str = "loss") -> list[tuple[int, float]]:
    return [(each.last_step, each.last) for each in state.of(run_id).curves[name]]


def test_a_run_that_changed_is_replaced(state: ClientState) -> None:
    data = run("a", state=RunState.FAILED).model_dump(mode="json")
    assert state.apply(message(11, "run", "a", **data)) == {("runs", ""), ("run", "a")}
    assert state.runs["a"].state is RunState.FAILED


def test_a_message_seen_before_changes_nothing(state: ClientState) -> None:
    assert state.apply(message(10, "removed", "a")) == set()
    assert "a" in state.runs


def test_a_removed_run_leaves_nothing(state: ClientState) -> None:
    state.of("a")
    state.apply(events(11, "a", loss(1, 2.0)))
    state.apply(message(12, "removed", "a"))
    assert "a" not in state.runs
    assert state.loss_of("a") is None


def test_runs_that_went_while_away_are_forgotten(state: ClientState) -> None:
    state.apply(events(11, "b", loss(1, 2.0)))
    state.connected([run("a")], 20)
    assert list(state.runs) == ["a"]
    assert state.loss_of("b") is None


def test_the_loss_of_every_run_is_collected(state: ClientState) -> None:
    changed = state.apply(events(11, "a", loss(1, 2.0), loss(2, 1.0)))
    assert changed == {("metrics", "a")}
    found = state.loss_of("a")
    assert found is not None
    assert [each.last for each in found] == [2.0, 1.0]


def test_curves_are_collected_from_the_first_look_on(state: ClientState) -> None:
    state.apply(events(11, "a", loss(1, 2.0, accuracy=0.1)))
    assert "accuracy" not in state.of("a").curves
    state.apply(events(12, "a", loss(2, 1.0, accuracy=0.2)))
    assert curve(state, "a", "accuracy") == [(2, 0.2)]


def test_the_past_joins_what_came_meanwhile(state: ClientState) -> None:
    state.of("a")
    state.apply(events(11, "a", loss(4, 0.4), loss(5, 0.5)))
    state.take_series("a", series("loss", {1: 1.0, 2: 2.0, 3: 3.0, 4: 0.4}))
    assert curve(state, "a") == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 0.4), (5, 0.5)]


@given(st.integers(0, 30), st.integers(0, 30))
def test_no_point_is_lost_whenever_the_past_arrives(asked: int, answered: int) -> None:
    """The agent answers as of step ``asked``; ``answered`` more steps come before it is shown."""
    state = ClientState()
    state.connected([run("a")], 0)
    state.of("a")
    for step in range(asked + answered):
        if step >= asked // 2:
            state.take_events("a", [loss(step, float(step))])
    state.take_series("a", series("loss", {step: float(step) for step in range(asked)}))
    assert curve(state, "a") == [(step, float(step)) for step in range(asked + answered)]


def test_only_the_runs_last_looked_at_keep_their_curves() -> None:
    state = ClientState()
    names = [f"run-{number}" for number in range(20)]
    state.connected([run(name) for name in names], 0)
    for sequence, name in enumerate(names, 1):
        state.of(name)
        state.apply(events(sequence, name, loss(1, 1.0)))
    assert not state.of("run-0").curves
    assert state.of("run-19").curves
    assert state.loss_of("run-0") is not None


def test_away_since_stays_while_it_lasts(state: ClientState) -> None:
    assert state.lost(100.0, "gone") == {("connection", "")}
    state.lost(105.0, "still gone")
    assert (state.connection, state.away_since) == ("away", 100.0)
    assert state.away_reason == "still gone"
    assert state.runs
    state.connected(state.runs.values(), 10)
    assert (state.connection, state.away_since) == ("live", None)


def test_a_reset_counts_whatever_its_number(state: ClientState) -> None:
    state.of("a")
    state.apply(events(11, "a", loss(1, 2.0)))
    assert state.apply(message(3, "reset")) == {("reset", "")}
    assert state.sequence == 3
    assert state.loss_of("a") is None


def test_what_happens_is_told_in_words(state: ClientState) -> None:
    state.of("a")
    state.take_events(
        "a",
        [
            {"t": 1.0, "kind": "phase", "name": "training", "detail": "epoch 1"},
            {"t": 2.0, "kind": "error", "message": "No rows.", "hint": "Add some."},
            {"t": 3.0, "kind": "sample", "step": 5, "prompt": "p", "text": "x", "expected": "y"},
            {"t": 4.0, "kind": "something new"},
        ],
    )
    assert [note.text for note in state.of("a").notes] == [
        "training: epoch 1",
        "No rows. Add some.",
    ]
    assert state.of("a").samples[0].expected == "y"
