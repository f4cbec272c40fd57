"""Comparing runs: overlaid curves, settings that differ, results with the best marked."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.tui.screens.compare import CompareScreen

pytestmark = pytest.mark.anyio


async def compared(luthier: Any, runs: list[str]) -> None:
    """Open the comparison and wait until everything is read."""
    await luthier.live()
    luthier.app.open_compare(runs)
    await luthier.until(lambda: isinstance(luthier.app.screen, CompareScreen))
    await luthier.settled()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_two_runs_side_by_side(curves: Any, opened: Any, size: Any) -> None:
    faster = {"training": {"learning_rate": 1e-3}}
    runs = [
        curves.submit("one", steps=100, level=0.5),
        curves.submit("two", like=faster, steps=80, level=0.9),
    ]
    for run in runs:
        curves.agent.ended(run)
    async with opened(size=size) as luthier:
        await compared(luthier, runs)
        await luthier.sees("loss  ", "━ one", "━ two", "by step", "100")
        await luthier.until(lambda: all("loss" in luthier.app.state.of(run).curves for run in runs))
        await luthier.press("n")
        await luthier.sees("eval_loss  ━ one")
        await luthier.press("2")
        await luthier.sees("training.learning_rate", "0.0002", "0.001", "data.path")
        assert "training.num_train_epochs" not in luthier.text
        # The line with the cursor is told in full below.
        await luthier.press("g")
        await luthier.sees("data.path")
        await luthier.press("G")
        await luthier.sees("one: 0.0002, two: 0.001")
        await luthier.press("3")
        await luthier.sees("succeeded", "lowest eval_loss", "learning_rate")
        row = luthier.line_with("eval_loss")
        assert row.index("✓") < row.rindex(".")
        await luthier.press("y")
        await luthier.told("table")
        copied = (curves.agent.home.path / "clipboard.txt").read_text()
        assert "\tone\ttwo" in copied
        assert "steps\t100\t80" in copied


async def test_runs_that_do_not_fit_are_reached_sideways(curves: Any, opened: Any) -> None:
    runs = [curves.submit(f"run-{n}", steps=10) for n in range(8)]
    for run in runs:
        curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        await compared(luthier, runs)
        await luthier.sees("run-0", "run-7")
        await luthier.press("3")
        await luthier.sees("run-0", "of 8")
        assert "run-7" not in luthier.line_with("of 8")
        await luthier.press(*["l"] * 8)
        await luthier.until(lambda: "run-7" in luthier.line_with("of 8"))
        assert "run-0" not in luthier.line_with("of 8")


async def test_a_running_run_is_compared_live(curves: Any, opened: Any) -> None:
    middle = curves.file("middle")
    done = curves.submit("done", steps=50)
    live = curves.submit("live", steps=60, hold={"20": str(middle)})
    curves.agent.ended(done)
    curves.agent.reached(live, 20)
    async with opened(size=(80, 24)) as luthier:
        await compared(luthier, [done, live])
        await luthier.press("3")
        await luthier.until(lambda: "20" in luthier.line_with("steps"))
        middle.touch()
        await luthier.until(lambda: "60" in luthier.line_with("steps"))


async def test_the_same_settings_are_said_to_be_the_same(curves: Any, opened: Any) -> None:
    run = curves.submit("one", steps=5)
    curves.agent.ended(run)
    spec = curves.client.run(run).spec
    again = str(curves.client.submit({**spec, "name": "again"}).id)
    curves.agent.ended(again)
    async with opened(size=(80, 24)) as luthier:
        await compared(luthier, [run, again])
        await luthier.press("2")
        await luthier.sees("these runs have the same settings")
