"""The log on the run screen: following, searching, errors, attempts, and what a log may not do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from luthier.tui.screens.run import RunScreen
from luthier.tui.widgets.log_body import LogBody

pytestmark = pytest.mark.anyio


async def log_of(luthier: Any, run_id: str) -> LogBody:
    """Open the log of the run."""
    await luthier.live()
    luthier.app.open_run(run_id)
    await luthier.until(lambda: isinstance(luthier.app.screen, RunScreen))
    await luthier.until(lambda: luthier.app.screen.detail is not None)
    await luthier.press("2")
    await luthier.settled()
    body = luthier.app.screen.query_one(LogBody)
    assert isinstance(body, LogBody)
    return body


async def test_the_end_of_the_log_is_followed(curves: Any, opened: Any) -> None:
    middle, late = curves.file("middle"), curves.file("late")
    run = curves.submit(steps=90, hold={"40": str(middle), "80": str(late)})
    async with opened(size=(80, 24)) as luthier:
        await log_of(luthier, run)
        await luthier.sees("step 40 loss", "follows the end")
        await luthier.press("k", "k", "k")
        await luthier.misses("follows the end")

        def lines() -> list[str]:
            return [line[:70] for line in luthier.lines if " loss " in line]

        seen = lines()
        middle.touch()
        curves.agent.reached(run, 80)
        await luthier.until(lambda: luthier.app.state.of(run).log[1] > 1200)
        assert lines() == seen
        await luthier.press("f")
        await luthier.sees("step 80 loss", "follows the end")
        late.touch()
        await luthier.sees("step 90 loss")


async def test_a_log_cannot_command_the_terminal(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=1)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        await log_of(luthier, run)
        await luthier.sees("red\ufffd and plain  and     tabs", "100%|##########")
        assert "\x1b" not in luthier.text
        assert " 95%|" not in luthier.text


async def test_words_are_searched_up_and_down(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=1, lines=30_000)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        body = await log_of(luthier, run)
        await luthier.press("g")
        await luthier.sees("line 0: all well")
        await luthier.press("slash")
        await luthier.type("LINE 2345")
        await luthier.press("enter")
        await luthier.sees("line 2345: all well")
        await luthier.press("n")
        await luthier.sees("line 23450: all well")
        await luthier.press("N")
        await luthier.sees("line 2345: all well")
        await luthier.press("N")
        await luthier.sees("no LINE 2345 above")
        assert body.plain == "line 2345: all well"
        await luthier.until(lambda: body.index.counted == body.output.size)
        await luthier.until(lambda: re.search(r"line 2,34\d of 30,0", luthier.text))


async def test_errors_are_jumped_to(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=1, lines=3500)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        body = await log_of(luthier, run)
        await luthier.press("g", "e")
        await luthier.sees("line 999: ERROR: it broke")
        await luthier.press("e")
        await luthier.sees("line 1999: ERROR: it broke")
        await luthier.press("e")
        await luthier.sees("line 2999: ERROR: it broke")
        await luthier.press("e")
        await luthier.sees("no error below")
        assert body.plain == "line 2999: ERROR: it broke"
        await luthier.press("E")
        await luthier.sees("line 1999: ERROR: it broke")
        await luthier.press("y")
        await luthier.told("lines")
        copied = (curves.agent.home.path / "clipboard.txt").read_text()
        assert copied == "line 1999: ERROR: it broke"


async def test_every_press_counts_while_the_log_is_searched(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=1, lines=60_000)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        body = await log_of(luthier, run)
        await luthier.press("g", *["e"] * 8)
        await luthier.sees("line 7999: ERROR: it broke")
        await luthier.settled()
        assert body.plain == "line 7999: ERROR: it broke"
        await luthier.press("E", "E", "e", "E", "E")
        await luthier.sees("line 4999: ERROR: it broke")
        await luthier.press("E", "E", "E", "E", "E", "E", "E")
        await luthier.sees("no error above", "line 999: ERROR: it broke")
        # What is pressed after a search was given up does not go on with it.
        await luthier.press("e", "e")
        luthier.app.screen.leave_waits()
        await luthier.press("g", "e")
        await luthier.settled()
        await luthier.until(lambda: body.plain == "line 999: ERROR: it broke")


async def test_the_whole_log_is_written_to_a_file(curves: Any, opened: Any, tmp_path: Path) -> None:
    run = curves.submit(steps=1, lines=30_000)
    curves.agent.ended(run)
    whole = curves.agent.home.run(run).attempt(1).output.read_bytes()
    file = tmp_path / "mine.log"
    async with opened(size=(80, 24)) as luthier:
        await log_of(luthier, run)
        for answers in ((), ("y",)):
            await luthier.press("S")
            await luthier.sees("Write the log to", f"{run}-attempt-1.log")
            luthier.app.screen.query_one(Input).value = str(file)
            await luthier.press("enter", *answers)
            await luthier.until(lambda: file.exists() and file.read_bytes() == whole)
            await luthier.told(f"Wrote {file}")
            file.write_text("something else")
        await luthier.press("S")
        await luthier.sees("Write the log to")
        luthier.app.screen.query_one(Input).value = str(tmp_path / "none" / "mine.log")
        await luthier.press("enter")
        await luthier.told("No such file or directory")


async def test_the_log_of_another_attempt_is_shown(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=50, hold={"30": str(curves.file("never"))})
    curves.agent.reached(run, 30)
    async with opened(size=(80, 24)) as luthier:
        body = await log_of(luthier, run)
        await luthier.sees("step 30 loss")
        curves.client.stop(run)
        curves.agent.ended(run)
        curves.client.resume(run)
        await luthier.until(lambda: body.attempt == 2)
        await luthier.sees("attempt 2 of 2")
        await luthier.press("A")
        await luthier.sees("attempt 1 of 2", "step 30 loss")
        await luthier.press("A")
        await luthier.sees("attempt 2 of 2")


async def test_long_lines_are_wrapped_or_cut(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=1)
    curves.agent.ended(run)
    folder = curves.agent.home.run(run).attempt(1)
    folder.output.write_bytes(b"start " + b"0123456789" * 20 + b" end\n")
    async with opened(size=(80, 24)) as luthier:
        await log_of(luthier, run)
        await luthier.sees("start 0123456789")
        assert " end" not in luthier.text.replace("the end", "")
        await luthier.press("w")
        await luthier.sees("9 end", "wrapped")
        await luthier.press("w")
        for _ in range(9):
            await luthier.press("l")
        await luthier.sees("9 end")
