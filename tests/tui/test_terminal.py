"""The bytes that reach a terminal: partial updates leave the same screen as a full one."""

from __future__ import annotations

import importlib.util
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_HELPER = Path(__file__).parents[1] / "benchmarks" / "terminal.py"


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("luthier_terminal", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


terminal_module = _load(_HELPER)


@pytest.fixture
def started(curves: Any) -> Iterator[Callable[[tuple[int, int]], Any]]:
    """Starts the terminal UI in a terminal of that size."""
    found: list[Any] = []

    def start(size: tuple[int, int]) -> Any:
        home = str(curves.agent.home.path)
        found.append(terminal_module.Terminal(terminal_module.LUTHIER, size, LUTHIER_HOME=home))
        return found[-1]

    yield start
    for terminal in found:
        terminal.close()


def assert_redrawn_alike(terminal: Any, *, live: bool = False) -> None:
    """A dialog that opens and closes makes Textual write the whole screen: it must not differ.

    Args:
        live: rows with the use of devices may change meanwhile.
    """
    terminal.quiet(0.2)
    partial, lines, before = terminal.cells(), terminal.lines, len(terminal.painted)
    terminal.press("?")
    terminal.sees("Keys")
    terminal.press("\x1b")
    terminal.until(lambda: not any("Keys" in line for line in terminal.lines))
    terminal.quiet(0.2)
    area = terminal.screen.columns * terminal.screen.lines
    assert len(terminal.painted) - before > 0.9 * area, "nothing was written in full"
    for y, (one, other) in enumerate(zip(partial, terminal.cells(), strict=True)):
        if not live or "memory" not in lines[y]:
            assert one == other, f"row {y}:\n{lines[y]}\n{terminal.lines[y]}"


def newest_loss(curves: Any, run: str) -> str:
    """The newest training loss as the legend has it."""
    events = curves.agent.home.run(run).attempt(1).events.read_text().splitlines()
    last = next(
        event for line in reversed(events) if (event := json.loads(line))["kind"] == "metrics"
    )
    return f"loss {last['values']['loss']:.4g} "


@pytest.mark.parametrize(
    "size", [(80, 24), pytest.param((120, 40), marks=pytest.mark.slow)], ids=["80x24", "120x40"]
)
def test_partial_updates_leave_the_screen_of_a_full_one(
    curves: Any, started: Any, size: tuple[int, int]
) -> None:
    """While curves grow, beyond a spike, smoothed, zoomed, panned, with crosshair, resized."""
    middle, late = curves.file("middle"), curves.file("late")
    run = curves.submit(
        steps=150, pace=0.02, hold={"70": str(middle), "149": str(late)}, spike={"90": 9.0}
    )
    terminal = started(size)
    terminal.sees("curve")
    terminal.press("\r")
    curves.agent.reached(run, 70)
    terminal.sees("1 Charts", "70/150", newest_loss(curves, run), "eval_loss")
    assert_redrawn_alike(terminal, live=True)
    middle.touch()
    curves.agent.reached(run, 149)
    terminal.sees("149/150", newest_loss(curves, run))
    assert_redrawn_alike(terminal, live=True)
    late.touch()
    curves.agent.ended(run)
    terminal.sees("succeeded", "150/150", newest_loss(curves, run))
    assert_redrawn_alike(terminal)
    # Smoothing, log scale, crosshair, that to the left, zoom, and without crosshair pan.
    for key in ("s", "L", "c", "H", "+", "+", "H", "\x1b", "l", "-"):
        before = len(terminal.painted)
        terminal.press(key)
        terminal.until(lambda before=before: len(terminal.painted) > before)
        assert_redrawn_alike(terminal)
    for columns, rows in ((100, 30), size):
        terminal.resize(columns, rows)
        terminal.until(lambda rows=rows: "q back" in terminal.lines[rows - 1])
        terminal.sees("150/150", "eval_loss")
        assert_redrawn_alike(terminal)


def test_the_log_is_left_as_a_full_update_would(curves: Any, started: Any) -> None:
    middle = curves.file("middle")
    run = curves.submit(steps=80, lines=3000, hold={"50": str(middle)})
    curves.agent.reached(run, 50)
    terminal = started((80, 24))
    terminal.sees("curve")
    terminal.press("\r")
    terminal.sees("1 Charts", "50/80")
    terminal.press("2")
    terminal.sees("step 50 loss", "line 3,0")
    assert_redrawn_alike(terminal, live=True)
    middle.touch()
    terminal.sees("step 80 loss", "succeeded", "of 3,08")
    assert_redrawn_alike(terminal)
    for keys, words in (
        ("kkk", "step 77 loss"),
        ("\x15", "step 60 loss"),
        ("e", "no error below"),
        ("E", "line 2999: ERROR"),
        ("/", "words to find"),
        ("line 1\r", "no line 1 below"),
        ("g", "line 0: all well"),
    ):
        terminal.press(keys)
        terminal.sees(words)
        if keys != "/":
            assert_redrawn_alike(terminal)


def test_a_lost_terminal_ends_luthier_with_the_form_kept(curves: Any, started: Any) -> None:
    """Whether the system says so by a signal, or only by an end of what can be read."""
    kept = curves.agent.home.path / "setups" / ".last.yaml"
    for lose in (
        lambda terminal: terminal.hang_up(),
        lambda terminal: terminal.process.send_signal(signal.SIGHUP),
    ):
        kept.unlink(missing_ok=True)
        terminal = started((80, 24))
        terminal.sees("There are no runs yet")
        terminal.press("n")
        terminal.sees("What do you want to train?")
        terminal.press("\r")
        terminal.sees("to mend")
        lose(terminal)
        assert terminal.process.wait(timeout=60) == 0
        assert kept.read_text().startswith("task: llm-generic\n")


def test_a_live_run_costs_little_on_a_slow_line(curves: Any, started: Any) -> None:
    begin, never = curves.file("begin"), curves.file("never")
    run = curves.submit(steps=1000, pace=0.02, hold={"510": str(begin), "610": str(never)})
    terminal = started((120, 40))
    terminal.sees("curve")
    terminal.press("\r")
    curves.agent.reached(run, 510)
    terminal.sees("510/1,000", newest_loss(curves, run), "eval_loss", "learning_rate")
    before = len(terminal.painted)
    begin.touch()
    curves.agent.reached(run, 610)
    terminal.sees("610/1,000", newest_loss(curves, run))
    # Told in bytes a step, because how fast a test machine is says nothing.
    assert (len(terminal.painted) - before) / 100 < 200
