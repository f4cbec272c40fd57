"""A program in a real pseudo-terminal, and what it writes there; for benchmarks and tests."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from typing import Any

import pyte

LUTHIER = [sys.executable, "-m", "luthier.tui"]
_ASKED = re.compile(rb"\x1b\[\?(2026|2048)\$p")
# Synchronised output is known here, resizes told in the stream are not.
_ANSWERS = {b"2026": b"2", b"2048": b"0"}
# COLUMNS and LINES would be believed instead of the terminal.
_HIDDEN = ("NO_COLOR", "TMUX", "LC_ALL", "TEXTUAL_THEME", "COLUMNS", "LINES")


class Terminal:
    """Starts a program. It ends with ``close``.

    Args:
        command: the program with its arguments.
        size: columns and rows.
        emulate: keep a screen as a terminal emulator does, at a cost.
        environment: over this process's own.

    Attributes:
        painted: everything the program has written.
        heard_at: ``time.perf_counter()`` of its newest bytes.
    """

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int],
        *,
        emulate: bool = True,
        **environment: str,
    ) -> None:
        self._file, inside = pty.openpty()
        self._screen = pyte.Screen(*size) if emulate else None
        self._stream = pyte.ByteStream(self._screen)
        self._shown = 0
        self._set_size(*size)
        outside = {key: value for key, value in os.environ.items() if key not in _HIDDEN}
        told = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.painted = bytearray()
        self.started = self.heard_at = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            env={**outside, **told, "HF_HUB_OFFLINE": "1", **environment},
        )
        os.close(inside)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size and tell the program."""
        if self._screen is not None:
            self.screen.resize(rows, columns)
        self._set_size(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys: str) -> None:
        """Type these keys."""
        os.write(self._file, keys.encode())

    def read(self, seconds: float = 0.1) -> bytes:
        """Take in what has come, or comes within so many seconds."""
        if not select.select([self._file], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self._file, 1 << 16)
        except OSError:
            # The program has ended.
            return b""
        self.heard_at = time.perf_counter()
        self.painted += data
        for mode in _ASKED.findall(data):
            os.write(self._file, b"\x1b[?" + mode + b";" + _ANSWERS[mode] + b"$y")
        return data

    @property
    def screen(self) -> Any:
        """What a person would see."""
        # Emulation is slow, and must not delay whoever takes the time of what comes.
        self._stream.feed(bytes(self.painted[self._shown :]))
        self._shown = len(self.painted)
        return self._screen

    def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        """Read until the condition is true, which is looked at after each piece."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("it never came true; the screen:\n" + "\n".join(self.lines))
            self.read()

    def sees(self, *words: str) -> None:
        """Read until all the words are on the screen."""
        self.until(lambda: all(any(each in line for line in self.lines) for each in words))

    def quiet(self, seconds: float = 0.5) -> None:
        """Read until nothing has come for so long."""
        while self.read(seconds):
            pass

    @property
    def lines(self) -> list[str]:
        """What is on the screen; without emulation the end of what was written."""
        if self._screen is None:
            return self.painted[-2000:].decode("utf-8", "replace").split("\r\n")
        return list(self.screen.display)

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines)

    def cells(self) -> list[list[tuple[Any, ...]]]:
        """Every cell of the screen with its colours, row by row."""
        screen = self.screen
        rows, columns = range(screen.lines), range(screen.columns)
        return [[tuple(screen.buffer[y][x]) for x in columns] for y in rows]

    def hang_up(self) -> None:
        """Close the terminal as a window is closed; no signal says so to the program."""
        os.close(self._file)
        self._file = -1

    def close(self) -> None:
        """End the program at once."""
        self.process.kill()
        self.process.wait()
        if self._file >= 0:
            os.close(self._file)
