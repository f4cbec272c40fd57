"""The list of runs: filter, order, cells."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.models import Progress, Run, Series
from luthier.agent.states import RunState
from luthier.tui.columns import Column
from luthier.tui.glyphs import ASCII, UNICODE
from luthier.tui.run_list import (
    COLUMNS,
    SORTS,
    Cells,
    Order,
    counted,
    explanation,
    headings,
    matches,
    shown,
)
from luthier.tui.state import ClientState


def run(run_id: str = "20260101-000000-abcd", **values: Any) -> Run:
    facts: dict[str, Any] = {
        "name": "", "task": "llm-sft", "model": "/models/tiny", "host": "local",
        "state": RunState.RUNNING, "created_at": 100.0, "folder": "/runs/x",
    }  # fmt: skip
    return Run(id=run_id, **{**facts, **values})


def cell(found: Run, key: str, width: int = 10, state: ClientState | None = None) -> str:
    state = state or ClientState()
    state.runs[found.id] = found
    return Cells(state, UNICODE, clock=lambda: 190.0)(found.id, Column(key, "", width)).text


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ([], True), (["demo"], True), (["tiny", "fail"], True), (["sft", "local"], True),
        (["demo", "queued"], False), (["x y"], False),
    ],
)  # fmt: skip
def test_every_word_must_be_somewhere(wanted: list[str], fits: bool) -> None:
    assert matches(run(name="Demo", state=RunState.FAILED), wanted) is fits


def test_newest_come_first() -> None:
    runs = [run("a", created_at=1), run("b", created_at=3), run("c", created_at=2)]
    assert shown(runs, "", Order()) == ["b", "c", "a"]
    assert shown(runs, "", Order(turned=True)) == ["a", "c", "b"]


def test_what_has_no_value_stands_last_either_way() -> None:
    runs = [
        run("none"),
        run("nan", last_metrics={"loss": float("nan")}),
        run("high", last_metrics={"loss": 2.0}),
        run("low", last_metrics={"loss": 1.0}),
    ]
    assert shown(runs, "", Order("loss"))[:2] == ["low", "high"]
    assert shown(runs, "", Order("loss", turned=True))[:2] == ["high", "low"]


def test_what_needs_a_look_comes_first_by_state() -> None:
    runs = [run(state.value, state=state) for state in RunState]
    order = shown(runs, "", Order("state"))
    assert order[0] == "stopping"
    assert order[-1] == "succeeded"


runs = st.lists(
    st.builds(
        lambda number, state, loss, name: run(
            f"run-{number}",
            created_at=float(number),
            state=state,
            name=name,
            last_metrics={"loss": loss},
        ),
        st.integers(0, 10_000),
        st.sampled_from(list(RunState)),
        st.none() | st.floats(allow_nan=True),
        st.sampled_from(["demo", "Other", ""]),
    ),
    unique_by=lambda found: found.id,
)


@given(runs, st.sampled_from(SORTS), st.booleans())
def test_every_order_shows_every_run_once(found: list[Run], by: str, turned: bool) -> None:
    assert sorted(shown(found, "", Order(by, turned))) == sorted(each.id for each in found)


def test_the_sort_key_goes_round() -> None:
    order = Order()
    for _ in SORTS:
        order = order.next()
    assert order == Order()


def test_a_heading_sorts_and_then_turns() -> None:
    order = Order().clicked("loss")
    assert order == Order("loss")
    assert order.clicked("curve") == Order("loss", turned=True)
    assert order.clicked("phase") == order


def test_the_heading_shows_the_order() -> None:
    titles = {column.key: column.title for column in headings(Order("loss", True), ASCII)}
    assert titles["loss"] == "loss^"
    assert titles["age"] == "age"


@pytest.mark.parametrize(
    ("found", "key", "words"),
    [
        (run(name="demo"), "name", "demo"),
        (run(), "name", "20260101-000000-abcd"),
        (run(name="a\x1b[2Jb"), "name", "a\N{REPLACEMENT CHARACTER}[2Jb"),
        (run(), "model", "tiny"),
        (run(), "age", "1 min"),
        (run(progress=Progress(step=199, total=200)), "percent", "99%"),
        (run(progress=Progress(step=50, total=200)), "step", "50/200"),
        (run(), "percent", ""),
        (run(queue_position=11), "bar", "12. queued"),
        (run(phase="loading model"), "bar", "loading m…"),
        (run(progress=Progress(step=1, total=2)), "bar", "━━━━━╌╌╌╌╌"),
        (run(progress=Progress(seconds_left=3700)), "left", "1h01m"),
        (run(progress=Progress(seconds_left=725)), "left", "12m05s"),
        (run(progress=Progress(seconds_left=90_000)), "left", "1d01h"),
        (run(progress=Progress(seconds_left=45)), "left", "45s"),
        (run(progress=Progress(seconds_left=9), state=RunState.STOPPED), "left", ""),
        (run(last_metrics={"loss": 0.123456}), "loss", "0.1235"),
        (run(last_metrics={"loss": None}), "loss", ""),
        (run(), "curve", ""),
    ],
)
def test_cells(found: Run, key: str, words: str) -> None:
    assert cell(found, key) == words


@given(
    st.sampled_from([column for column in COLUMNS if column.key in ("bar", "left", "percent")]),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.floats(0, 1e9) | st.none(),
)
def test_figures_fit_their_columns(
    column: Column, step: int, total: int, left: float | None
) -> None:
    progress = Progress(step=min(step, total), total=total, seconds_left=left)
    assert len(cell(run(progress=progress), column.key, column.width)) <= column.width


def test_the_curve_is_drawn() -> None:
    state = ClientState()
    values = [4.0, 3.0, 2.0, 1.0]
    state.take_loss(run().id, Series(
        name="loss", bucket=1, steps=[1, 2, 3, 4], values=values, minimum=values, maximum=values
    ))  # fmt: skip
    assert cell(run(), "curve", 4, state) == "█▆▃▁"


def test_a_run_that_is_gone_has_empty_cells() -> None:
    assert Cells(ClientState(), UNICODE)("gone", COLUMNS[0]).text == ""


def test_why_a_run_is_as_it_is() -> None:
    failed = run(state=RunState.FAILED, reason="Out of memory.", hint="Use a smaller batch.")
    assert explanation(failed) == "Out of memory. Use a smaller batch."
    done = run(state=RunState.SUCCEEDED, artifact="artifacts/adapter")
    assert explanation(done) == "result in /runs/x/artifacts/adapter"
    assert explanation(run(state=RunState.STOPPED)) == ""


def test_several_runs_are_counted_one_is_named() -> None:
    assert counted([run(name="demo")]) == "demo"
    assert counted([run(), run("b")]) == "2 runs"
