"""One call of the command: its home, its output, its connection to the agent."""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..paths import Home

if TYPE_CHECKING:
    from rich.console import Console

    from ..client import Client

_PLAIN_WIDTH = 80


@dataclass
class Invocation:
    """What the global options say, and what follows from them."""

    home: Home
    debug: bool = False
    no_color: bool = False

    @cached_property
    def console(self) -> Console:
        """Standard output."""
        return self._console(stderr=False)

    @cached_property
    def remarks(self) -> Console:
        """Standard error: errors, and what people should know beside a result."""
        return self._console(stderr=True)

    @property
    def terminal(self) -> bool:
        """Whether a person sees standard output and may type."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    @property
    def draws(self) -> bool:
        """Whether standard output is a terminal that can be drawn on in place."""
        return sys.stdout.isatty() and not self.console.is_dumb_terminal

    @property
    def unicode(self) -> bool:
        """Whether standard output takes more than ASCII."""
        return self.console.encoding.startswith("utf")

    @cached_property
    def client(self) -> Client:
        """The agent of this home, started when it does not run yet."""
        from ..client import Client

        return Client(self.home)

    def busy(self, doing: str) -> AbstractContextManager[object]:
        """Says what is being done, on a terminal only and gone afterwards."""
        return self.remarks.status(doing) if sys.stderr.isatty() else nullcontext()

    def print_json(self, value: Any) -> None:
        """One JSON value on standard output."""
        sys.stdout.write(json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n")

    def print_json_line(self, value: Any) -> None:
        """One JSON value of a stream, on a line of its own."""
        sys.stdout.write(json.dumps(_plain(value), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def say(self, text: str, style: str = "") -> None:
        """A line on standard output, wrapped only where the terminal wraps."""
        self.console.print(text, style=style or None, markup=False, soft_wrap=True)

    def remark(self, text: str, style: str = "dim") -> None:
        """A line on standard error."""
        self.remarks.print(text, style=style or None, markup=False, soft_wrap=True)

    def _console(self, *, stderr: bool) -> Console:
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        chosen = stream.isatty() or os.environ.get("COLUMNS")
        return Console(
            stderr=stderr,
            no_color=True if self.no_color else None,
            highlight=False,
            emoji=False,
            width=None if chosen else _PLAIN_WIDTH,
        )


def invocation(context: typer.Context) -> Invocation:
    """The call that this command is part of."""
    found = context.obj
    assert isinstance(found, Invocation)
    return found


def home_from(chosen: Path | str | None) -> Home:
    """The home that ``--home`` names, else the one of the environment; an empty name is none."""
    return Home(Path(chosen).expanduser().absolute()) if chosen else Home.from_environment()


def _plain(value: Any) -> Any:
    """``value`` with every pydantic model in it as plain data."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
