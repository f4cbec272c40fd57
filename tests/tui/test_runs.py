"""The list of runs: live cells, filter, order, marks, and what can be done with runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from luthier.agent.models import Run
from luthier.agent.states import RunState
from luthier.tui.screens.confirm import ConfirmScreen
from luthier.tui.screens.runs import RunsScreen
from luthier.tui.settings import InterfaceSettings
from luthier.tui.widgets.run_table import RunTable

pytestmark = pytest.mark.anyio


def order(luthier: Any) -> list[str]:
    """The names of the runs from top to bottom."""
    table = luthier.app.screen_stack[0].query_one(RunTable)
    return [luthier.app.state.runs[key].name for key in table.keys]


def submit(real_agent: Any, workshop: Any, *names: str, **behaviour: Any) -> list[str]:
    """Runs that end soon, the first one first."""
    ids = []
    for name in names:
        ids.append(real_agent.client.submit(workshop.spec(behaviour, name=name)).id)
        real_agent.ended(ids[-1])
    return ids


async def test_a_run_is_shown_live_to_its_end(client: Any, workshop: Any, opened: Any) -> None:
    gate, end = workshop.file("gate"), workshop.file("end")
    behaviour = {"steps": 20, "hold": {"10": str(gate), "15": str(end)}}
    async with opened() as luthier:
        await luthier.sees("There are no runs yet")
        client.submit(workshop.spec(behaviour, name="watched"))
        await luthier.sees("watched", "50%", "1 running", "━━━━━╌╌╌╌╌", "0.1")
        assert "●" in luthier.line_with("watched")
        gate.touch()
        await luthier.sees("75%")
        end.touch()
        await luthier.sees("✓ watched", "100%", "0.05", "result in")
        assert "running" not in luthier.text
        # The curve: high at first, low at the end.
        assert "█" in luthier.line_with("watched")
        assert "▁" in luthier.line_with("watched")


async def test_curves_of_runs_that_ended_before_are_fetched(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    submit(real_agent, workshop, "old")
    async with opened() as luthier:
        await luthier.sees("✓ old", "█")


async def test_why_a_run_failed_stands_below(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    submit(real_agent, workshop, "wrong", crash={"3": "error"})
    async with opened() as luthier:
        await luthier.sees("✗ wrong", "The rows are wrong", "Mend them")


async def test_the_columns_follow_the_width(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    (run_id,) = submit(real_agent, workshop, "one")
    async with opened(size=(80, 24)) as luthier:
        await luthier.sees("✓ one")
        heading = luthier.line_with("progress")
        assert "host" not in heading
        assert "task" in heading
        await luthier.resize(120, 40)
        await luthier.sees("host", "model", "succeeded")
        await luthier.resize(240, 40)
        await luthier.sees("tokens/s", "10/10", run_id)


async def test_the_filter_narrows_and_escape_widens(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    submit(real_agent, workshop, "apple", "pear")
    submit(real_agent, workshop, "apple-two", crash={"2": "error"})
    async with opened() as luthier:
        await luthier.sees("apple-two", "pear")
        await luthier.press("slash")
        await luthier.type("apple fail")
        await luthier.misses("pear")
        assert order(luthier) == ["apple-two"]
        assert "1 of 3" in luthier.lines[0]
        await luthier.press("enter")
        assert isinstance(luthier.app.focused, RunTable)
        assert order(luthier) == ["apple-two"]
        await luthier.press("escape")
        await luthier.sees("pear")
        assert not luthier.app.screen.query_one(Input).display


async def test_keys_and_headings_sort(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    submit(real_agent, workshop, "b", steps=20)
    submit(real_agent, workshop, "c", steps=5)
    submit(real_agent, workshop, "a", steps=10)
    async with opened() as luthier:
        await luthier.until(lambda: order(luthier) == ["a", "c", "b"])
        await luthier.press("S")
        assert order(luthier) == ["b", "c", "a"]
        await luthier.press("s", "s")
        assert order(luthier) == ["a", "b", "c"]
        await luthier.sees("run▼")
        y, heading = next(
            (y, line) for y, line in enumerate(luthier.lines) if " loss" in line
        )  # fmt: skip
        await luthier.pilot.click(offset=(heading.index("loss") + 1, y))
        await luthier.until(lambda: order(luthier) == ["b", "a", "c"])
        await luthier.pilot.click(offset=(heading.index("loss") + 1, y))
        await luthier.until(lambda: order(luthier) == ["c", "a", "b"])


async def test_the_cursor_stays_with_its_run(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    first, _ = submit(real_agent, workshop, "first", "second")
    async with opened() as luthier:
        await luthier.sees("✓ first", "✓ second")
        await luthier.press("j")
        table = luthier.app.screen.query_one(RunTable)
        assert table.current == first
        submit(real_agent, workshop, "third")
        await luthier.sees("✓ third")
        assert table.current == first


async def test_a_click_moves_and_a_double_click_opens(
    client: Any, real_agent: Any, workshop: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = submit(real_agent, workshop, "first", "second")
    async with opened() as luthier:
        await luthier.sees("✓ first")
        asked: list[str] = []
        monkeypatch.setattr(luthier.app, "open_run", asked.append)
        y = next(y for y, line in enumerate(luthier.lines) if "✓ first" in line)
        await luthier.pilot.click(offset=(10, y))
        assert luthier.app.screen.query_one(RunTable).current == first
        assert asked == []
        await luthier.pilot.double_click(offset=(10, y))
        await luthier.until(lambda: asked == [first])
        await luthier.press("enter")
        await luthier.until(lambda: asked == [first, first])


async def test_marked_runs_are_compared(
    client: Any, real_agent: Any, workshop: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = submit(real_agent, workshop, "a", "b", "c")
    async with opened() as luthier:
        await luthier.sees("✓ a", "✓ b", "✓ c")
        asked: list[list[str]] = []
        monkeypatch.setattr(luthier.app, "open_compare", asked.append)
        await luthier.press("c")
        await luthier.told("Mark two to eight runs with space")
        await luthier.press("space", "space")
        await luthier.sees("2 marked")
        await luthier.press("c")
        assert asked == [[ids[2], ids[1]]]
        await luthier.press("escape")
        await luthier.misses("2 marked")
        await luthier.press("asterisk")
        await luthier.sees("3 marked")


async def test_results_are_talked_to(
    client: Any, real_agent: Any, workshop: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(real_agent, workshop, "failed", crash={"2": "error"})
    (good,) = submit(real_agent, workshop, "good")
    async with opened() as luthier:
        await luthier.sees("t chat")
        asked: list[list[str]] = []
        monkeypatch.setattr(luthier.app, "open_chat", asked.append)
        await luthier.press("t")
        assert asked == [[good]]
        await luthier.press("j")
        await luthier.misses("t chat")
        await luthier.press("t")
        assert asked == [[good]]


async def test_stop_asks_first_and_saves_a_checkpoint(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    run = client.submit(workshop.spec({"steps": 10_000, "pace": 0.02}, name="long"))
    async with opened() as luthier:
        await luthier.sees("● long")
        await luthier.press("x")
        await luthier.sees("Stop long?", "A checkpoint is saved first")
        await luthier.press("n")
        assert client.run(run.id).state is RunState.RUNNING
        await luthier.press("x", "y")
        await luthier.sees("■ long")
        ended = client.run(run.id)
        assert ended.state is RunState.STOPPED
        assert ended.attempts[-1].stopped_by == "ask"


async def test_stop_now_leaves_no_time_for_a_checkpoint(
    client: Any, workshop: Any, opened: Any
) -> None:
    run = client.submit(workshop.spec({"steps": 10_000, "pace": 0.02, "deaf": True}, name="deaf"))
    async with opened() as luthier:
        await luthier.sees("● deaf")
        await luthier.press("X")
        await luthier.sees("Stop deaf now?")
        # The safe answer has the focus.
        await luthier.press("enter")
        assert isinstance(luthier.app.screen, RunsScreen)
        await luthier.press("X", "y")
        await luthier.sees("■ deaf")
        assert client.run(run.id).attempts[-1].stopped_by == "terminate"


async def test_a_stopped_run_is_resumed(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    gate = workshop.file("gate")
    run = client.submit(workshop.spec({"steps": 10, "hold": {"5": str(gate)}}, name="again"))
    real_agent.reached(run.id, 5)
    client.stop(run.id)
    real_agent.ended(run.id)
    gate.touch()
    async with opened() as luthier:
        await luthier.sees("■ again")
        await luthier.press("r")
        await luthier.sees("✓ again", "100%")
        assert len(client.run(run.id).attempts) == 2


async def test_several_runs_are_removed_with_one_answer(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    ids = submit(real_agent, workshop, "a", "b", "keep")
    async with opened() as luthier:
        await luthier.sees("✓ keep", "✓ a")
        await luthier.press("j", "space", "space", "D")
        await luthier.sees("Remove 2 runs?", "Their folders go too")
        await luthier.press("y")
        await luthier.misses("✓ a")
        await luthier.misses("✓ b")
        assert [run.id for run in client.runs()] == [ids[2]]
        assert os.listdir(real_agent.home.runs) == [ids[2]]


async def test_what_the_agent_refuses_is_shown(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    (run_id,) = submit(real_agent, workshop, "gone")
    async with opened() as luthier:
        await luthier.sees("✓ gone")
        await luthier.press("D")
        await luthier.until(lambda: isinstance(luthier.app.screen, ConfirmScreen))
        client.remove(run_id)
        await luthier.press("y")
        await luthier.until(lambda: luthier.said)
        assert run_id in luthier.said[0]


async def test_ids_are_copied_and_it_is_said_where(
    client: Any, real_agent: Any, workshop: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ids = submit(real_agent, workshop, "a", "b")
    async with opened() as luthier:
        await luthier.sees("✓ a")
        await luthier.press("asterisk", "y")
        await luthier.told("clipboard.txt")
        copied = Path(real_agent.home.path / "clipboard.txt").read_text()
        assert copied.split("\n") == [ids[1], ids[0]]
        assert luthier.app.clipboard == copied


async def test_a_key_profile_replaces_keys(
    client: Any, real_agent: Any, workshop: Any, opened: Any
) -> None:
    submit(real_agent, workshop, "one")
    (real_agent.home.path / "keys.yaml").write_text("runs.remove: ctrl+x\nlist.mark: v\n")
    async with opened(interface=InterfaceSettings(keys="keys.yaml")) as luthier:
        await luthier.sees("✓ one")
        await luthier.press("D")
        assert isinstance(luthier.app.screen, RunsScreen)
        await luthier.press("v")
        await luthier.sees("1 marked")
        await luthier.press("ctrl+x")
        await luthier.sees("Remove one?")


async def test_five_hundred_runs_scroll(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        runs = [
            Run(
                id=f"run-{number}", name=f"n-{number:03}", task="llm-sft", model="m", host="local",
                state=RunState.SUCCEEDED, created_at=float(number), folder="/x",
            )
            for number in range(500)
        ]  # fmt: skip
        luthier.app.state.connected(runs, luthier.app.state.sequence)
        luthier.app.front.news(frozenset({("runs", "")}))
        await luthier.sees("n-499", "n-481", "task")
        await luthier.press("G")
        await luthier.sees("n-000")
        await luthier.press("k", "ctrl+u", "g")
        await luthier.sees("n-499")
        await luthier.press("slash")
        await luthier.type("n-25")
        await luthier.until(lambda: len(order(luthier)) == 11)
