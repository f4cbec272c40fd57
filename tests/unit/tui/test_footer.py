"""The footer's choice of keys, and the header's counts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from textual.binding import ActiveBinding, Binding
from textual.dom import DOMNode

from luthier.agent.models import Run
from luthier.agent.states import RunState
from luthier.tui.state import ClientState
from luthier.tui.widgets.footer import chosen, fitting
from luthier.tui.widgets.header import run_counts


@given(st.lists(st.integers(3, 20), max_size=15), st.integers(0, 200), st.integers(0, 10))
def test_what_is_shown_fits(widths: list[int], room: int, most: int) -> None:
    taken = fitting(widths, room, most)
    assert sum(widths[index] for index in taken) <= room
    assert len(taken) <= most


def test_help_and_leaving_come_before_the_rest() -> None:
    assert fitting([10] * 8, 30, 6) == {0, 6, 7}


def active(*entries: tuple[str, str, str, bool]) -> dict[str, ActiveBinding]:
    return {
        key: ActiveBinding(DOMNode(), Binding(key, action, action, id=binding_id), enabled, "")
        for key, binding_id, action, enabled in entries
    }


def test_the_footer_follows_the_table() -> None:
    found = chosen(
        active(
            ("q", "runs.quit", "leave", True),
            ("n", "runs.new", "new", True),
            ("x", "runs.stop", "stop", False),
            ("enter", "list.select", "select", True),
            ("X", "runs.stop_now", "stop_now", True),
        )
    )
    assert [key for key, _, _ in found] == ["enter", "n", "q"]


def test_one_action_is_shown_once() -> None:
    found = chosen(active(("n", "runs.new", "new", True), ("N", "runs.new", "new", True)))
    assert [key for key, _, _ in found] == ["n"]


def run(run_id: str, state: RunState) -> Run:
    facts: dict[str, Any] = {"name": "", "task": "t", "model": "m", "host": "h", "folder": "/x"}
    return Run(id=run_id, state=state, created_at=0.0, **facts)


def test_only_what_is_not_finished_is_counted() -> None:
    state = ClientState()
    states = [*RunState, RunState.QUEUED]
    state.connected([run(str(place), each) for place, each in enumerate(states)], 0)
    assert run_counts(state) == "3 running, 2 queued"
    state.connected([run("a", RunState.FAILED)], 0)
    assert run_counts(state) == ""
