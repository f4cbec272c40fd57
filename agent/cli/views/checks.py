"""What the doctor found."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ... import text
from ..doctor import Check
from ..invocation import Invocation

_MARKS = {"green": ("ok", "green"), "yellow": ("note", "yellow"), "red": ("FAIL", "bold red")}


def as_data(checks: Sequence[Check]) -> dict[str, Any]:
    """The checks, and whether all is well."""
    well = all(check.level != "red" for check in checks)
    return {"ok": well, "checks": [dataclasses.asdict(check) for check in checks]}


def show(here: Invocation, checks: Sequence[Check]) -> None:
    """A line a check, and what to do below those that are not well."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        word, style = _MARKS[check.level]
        table.add_row(Text(word, style=style), Text(check.name), Text(check.found))
        if check.remedy:
            table.add_row("", "", Text(check.remedy, style="bold"))
    here.console.print(table)
    red = sum(check.level == "red" for check in checks)
    here.say(f"{text.count(red, 'check')} failed." if red else "Everything needed is there.")
