"""What the columns of a table hold."""

from __future__ import annotations

from typing import Any

from .cells import is_null, kind_of, plain_text
from .chats import looks_like_chat
from .report import ColumnReport
from .table import Table

_EXAMPLE_LENGTH = 120


def describe_columns(table: Table) -> list[ColumnReport]:
    """Each column with its type in plain words, its empty cells, and an example."""
    return [_describe(table, name) for name in table.columns]


def _describe(table: Table, name: str) -> ColumnReport:
    kinds: dict[str, None] = {}
    nulls, example = 0, ""
    for row in table.rows:
        value = row.get(name)
        if is_null(value) or value == "":
            nulls += 1
            continue
        kinds[_kind(value)] = None
        example = example or plain_text(value)
    if len(example) > _EXAMPLE_LENGTH:
        example = example[: _EXAMPLE_LENGTH - 1] + "…"
    words = next(iter(kinds), "empty") if len(kinds) < 2 else f"mixed: {', '.join(kinds)}"
    return ColumnReport(name=_writable(name), type=words, nulls=nulls, example=_writable(example))


def _writable(text: str) -> str:
    """The text with question marks for halves of characters, which no report could hold."""
    return text.encode(errors="replace").decode()


def _kind(value: Any) -> str:
    if looks_like_chat(value):
        return "messages" if isinstance(value, list) else "messages as JSON text"
    return kind_of(value).removeprefix("a ").removeprefix("of type ")
