"""The machines: live figures, who uses what, and the order of the queue."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input

from luthier.agent.states import RunState
from luthier.tui.screens.machines import MachinesScreen
from luthier.tui.settings import InterfaceSettings
from luthier.tui.widgets.line_table import LineTable

pytestmark = pytest.mark.anyio


def fill_the_queue(client: Any, workshop: Any) -> list[str]:
    """One run that runs on, three that wait; their ids, the running one first."""
    gate = str(workshop.file("never"))
    specs = [
        workshop.spec({"steps": 5, "hold": {"1": gate}}, name=name)
        for name in ("runner", "one", "two", "three")
    ]
    return [client.submit(spec).id for spec in specs]


def queue(luthier: Any) -> list[str]:
    """The names of the waiting runs from top to bottom."""
    table = luthier.app.screen.query_one("#queue", LineTable)
    return [luthier.app.state.runs[key].name for key in table.keys]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_host_and_its_devices_are_shown(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        await luthier.live()
        await luthier.press("m")
        await luthier.sees("memory", "disk", ", load ", "GiB", "free", "Nothing waits")
        assert luthier.line_with("free").strip().startswith("cpu")


async def test_the_units_are_the_chosen_ones(client: Any, opened: Any) -> None:
    async with opened(interface=InterfaceSettings(units="decimal")) as luthier:
        await luthier.live()
        await luthier.press("m")
        await luthier.sees(" GB of ")
        assert "GiB" not in luthier.text


async def test_a_device_names_its_run(client: Any, workshop: Any, opened: Any) -> None:
    fill_the_queue(client, workshop)
    async with opened() as luthier:
        await luthier.sees("1 running, 3 queued")
        await luthier.press("m")
        await luthier.until(lambda: queue(luthier) == ["one", "two", "three"])
        # Nothing else on this screen names a run that does not wait.
        await luthier.sees(" runner ")
        assert "the CPU" in luthier.line_with("1. one")


async def test_waiting_runs_are_moved(client: Any, workshop: Any, opened: Any) -> None:
    _, one, two, three = fill_the_queue(client, workshop)
    async with opened() as luthier:
        await luthier.sees("3 queued")
        await luthier.press("m")
        await luthier.until(lambda: len(queue(luthier)) == 3)
        await luthier.press("tab", "j", "j", "K")
        await luthier.until(lambda: queue(luthier) == ["one", "three", "two"])
        await luthier.press("K")
        await luthier.until(lambda: queue(luthier) == ["three", "one", "two"])
        # The cursor went with the run, which cannot start earlier than first.
        await luthier.press("K", "J")
        await luthier.until(lambda: queue(luthier) == ["one", "three", "two"])
        found = {run.id: run.queue_position for run in client.runs([RunState.QUEUED])}
        assert found == {one: 0, three: 1, two: 2}


async def test_a_waiting_run_is_taken_out(client: Any, workshop: Any, opened: Any) -> None:
    _, one, *_ = fill_the_queue(client, workshop)
    async with opened() as luthier:
        await luthier.sees("3 queued")
        await luthier.press("m")
        await luthier.until(lambda: len(queue(luthier)) == 3)
        await luthier.press("x")
        await luthier.sees("Take one out of the queue?")
        await luthier.press("y")
        await luthier.until(lambda: queue(luthier) == ["two", "three"])
        assert client.run(one).state is RunState.STOPPED


async def test_runs_are_opened_from_device_and_queue(
    client: Any, workshop: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, one, *_ = fill_the_queue(client, workshop)
    async with opened() as luthier:
        asked: list[str] = []
        monkeypatch.setattr(luthier.app, "open_run", asked.append)
        await luthier.sees("3 queued")
        await luthier.press("m")
        await luthier.until(lambda: "runner" in luthier.text)
        await luthier.press("enter", "tab", "enter")
        assert asked == [runner, one]


async def test_nothing_is_asked_while_the_screen_is_not_in_front(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("m")
        await luthier.sees(", load ")
        screen = luthier.app.screen
        assert isinstance(screen, MachinesScreen)
        await luthier.press("comma")
        await luthier.until(lambda: not screen._waits)
        screen._look()
        assert not screen._waits
        await luthier.press("q")
        await luthier.until(lambda: screen._waits)


async def test_figures_stay_while_the_agent_is_away(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("m")
        await luthier.sees(", load ")
        client.shutdown()
        await luthier.sees("The agent was stopped", ", load ")


async def test_another_machine_is_added_and_looked_at(
    client: Any, opened: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("m")
        await luthier.sees(", load ")
        await luthier.press("a")
        await luthier.sees("Add a machine")
        await luthier.press(*"box", "enter")
        await luthier.sees("Write a name and an address.")
        # Nobody listens on port 1.
        luthier.app.screen.query_one(Input).value = "box 127.0.0.1:1"
        await luthier.press("enter")
        await luthier.until(lambda: len(client.hosts.all()) == 2)
        await luthier.press("h")
        await luthier.until(lambda: luthier.app.screen.host == "box")
        await luthier.sees("refused")
        assert "free" not in luthier.text
        await luthier.press("h")
        await luthier.sees(", load ", "free")
