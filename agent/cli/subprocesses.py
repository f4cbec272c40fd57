"""Running the modules that load the training packages, which this process never does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True)
class Ended:
    """How a process ended and what it said."""

    code: int
    out: str
    said: str

    @property
    def last_words(self) -> str:
        """The last line of its standard error, which names the error."""
        lines = self.said.strip().splitlines()
        return lines[-1] if lines else f"the process ended with code {self.code}"


def run_module(
    module: str, arguments: Sequence[str], on_line: Callable[[str], None] | None = None
) -> Ended:
    """Run ``python -m module`` to its end.

    Args:
        on_line: told every line of standard output as it comes.
    """
    # -P keeps a folder of the person's that is called like a package from being imported.
    command = [sys.executable, *(["-P"] if sys.version_info >= (3, 11) else []), "-m", module]
    with subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = _Drain(process.stderr)
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if on_line:
                    on_line(line.rstrip("\n"))
        except BaseException:
            # A ctrl-c, or nobody who reads what this process says.
            process.terminate()
            raise
        text = said.text()
        return Ended(process.wait(), "".join(lines), text)


class _Drain:
    """Reads a stream on a thread, so that the process never waits for a full pipe."""

    def __init__(self, stream: IO[str]) -> None:
        import threading

        self._text = ""
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Everything, once the stream has ended."""
        self._thread.join()
        return self._text

    def _read(self, stream: IO[str]) -> None:
        self._text = stream.read()
