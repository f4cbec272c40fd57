"""Columns of a line table: which of them fit, and how wide each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple


class Cell(NamedTuple):
    """What stands in one place of a table.

    ``kind`` is its look: empty, or one of LineTable's kinds such as ``good`` or ``muted``.
    """

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: what ``cell`` is asked for.
        title: the heading.
        width: cells across, at least.
        right: whether its texts stand at the right.
        grow: its share of the room that is left over; 0 keeps the width.
        rank: columns of a high rank give way first when there is not enough room; those of rank 0
            always stay.
        most: cells across at most, for columns that grow; 0: no limit.
    """

    key: str
    title: str
    width: int
    right: bool = False
    grow: int = 0
    rank: int = 0
    most: int = 0


def fit(columns: Sequence[Column], width: int, gap: int = 1) -> list[Column]:
    """The columns that fit into ``width`` cells with ``gap`` between them, the room shared out."""
    shown = list(columns)
    while (spare := _spare(shown, width, gap)) < 0 and any(column.rank for column in shown):
        worst = max(column.rank for column in shown)
        # The last of the worst goes, so that a table reads from the left.
        index = max(index for index, column in enumerate(shown) if column.rank == worst)
        del shown[index]
    growing = [index for index, column in enumerate(shown) if column.grow]
    while spare > 0 and growing:
        shares = sum(shown[index].grow for index in growing)
        given = 0
        for index in list(growing):
            column = shown[index]
            share = max(1, spare * column.grow // shares)
            share = min(share, spare - given)
            if column.most:
                share = min(share, max(0, column.most - column.width))
            if not share:
                growing.remove(index)
            shown[index] = replace(column, width=column.width + share)
            given += share
        spare -= given
    return shown


def _spare(columns: Sequence[Column], width: int, gap: int) -> int:
    return width - sum(column.width for column in columns) - gap * (len(columns) - 1)


def starts(columns: Sequence[Column], gap: int = 1) -> list[int]:
    """Where each column begins."""
    found, x = [], 0
    for column in columns:
        found.append(x)
        x += column.width + gap
    return found
