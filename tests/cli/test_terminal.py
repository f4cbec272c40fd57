"""Watching runs on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Luthier, Terminal


def test_a_run_is_drawn_while_it_goes(
    agent: Path, submit: Callable[..., str], terminal: type[Terminal]
) -> None:
    run = submit("short")
    code, painted = terminal("watch", run).end()
    assert code == 0
    for part in ("short", "loss", "█", "━", "answer", "1900-05-01", "row 3 is empty", "succeeded"):
        assert part in painted
    assert "\x1b[?25h" in painted, "the cursor is shown again"


def test_ctrl_c_leaves_a_run_going_and_says_so(
    luthier: Luthier, begin: Callable[[], str], terminal: type[Terminal]
) -> None:
    run = begin()
    watching = terminal("watch", run)
    watching.until("the run goes on")
    watching.type("\x03")
    code, painted = watching.end()
    assert code == 130
    assert f"luthier stop {run}" in painted
    assert "Traceback" not in painted
    assert luthier("show", run, "--json").json["state"] == "running"


def test_waiting_for_a_new_run_draws_it(
    agent: Path, submit: Callable[..., str], terminal: type[Terminal]
) -> None:
    submit("short", "--wait")
    code, painted = terminal("run", "spec.yaml", "--name", "failing", "--wait").end()
    assert code == 1
    assert "The row is bad" in painted
    assert "Mend it." in painted


def test_following_logs_ends_with_ctrl_c(
    begin: Callable[[], str], terminal: type[Terminal]
) -> None:
    following = terminal("logs", begin(), "-f")
    following.until("step 3")
    following.type("\x03")
    code, painted = following.end()
    assert code == 130
    assert "Traceback" not in painted


def test_hardware_is_watched_until_ctrl_c(agent: Path, terminal: type[Terminal]) -> None:
    watching = terminal("hardware", "--watch", "--interval", "0.2")
    watching.until("load")
    watching.until("load")
    watching.type("\x03")
    assert watching.end()[0] == 130


def test_alone_on_a_terminal_it_opens_the_terminal_interface(
    agent: Path, terminal: type[Terminal]
) -> None:
    shown = terminal()
    shown.until("\x1b[?1049h")
    shown.until("quit")
    shown.type("\x11")
    assert shown.end()[0] == 0
