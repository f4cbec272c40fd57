"""Small helpers for sentences about data."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from ..errors import DataError, Problem


def data_error(message: str, where: str | Path = "") -> DataError:
    """An error of one problem."""
    return DataError([Problem(message, str(where))])


def missing_column(name: str, columns: Iterable[str], wanted_by: str = "") -> str:
    """The sentence about a column that is not there, with the nearest that is."""
    known = list(columns)
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the columns are {listed(known)}"
    asked = f", which {wanted_by} names" if wanted_by else ""
    return f"there is no column {name!r}{asked}; {hint}"


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names with commas, shortened when there are many."""
    known = list(names)
    text = ", ".join(known[:most])
    return f"{text} and {len(known) - most} more" if len(known) > most else text or "none"
