"""A finished picture as rows of styled text, and what of it differs from the one before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len

Piece = tuple[str, str]
"""Text with the name of its style."""
Row = list[Piece]

_NEAR = 4
_STRETCH = re.compile(rb"(.)\1*", re.DOTALL)


def pieces(characters: str, owners: bytes, styles: Mapping[int, str]) -> Row:
    """Characters with a number each as a row, whose styles are those of the numbers."""
    return [
        (characters[match.start() : match.end()], styles[match[0][0]])
        for match in _STRETCH.finditer(owners)
    ]


def fitted(row: Row, width: int) -> Row:
    """The row cut or filled with blanks to ``width`` cells. Its characters must be one cell wide
    where it is cut."""
    kept: Row = []
    left = width
    for text, style in row:
        length = cell_len(text)
        if length > left:
            text, length = text[:left], left
        if length:
            kept.append((text, style))
            left -= length
    if left:
        kept.append((" " * left, ""))
    return kept


def changes(old: Sequence[Row], new: Sequence[Row]) -> Iterator[tuple[int, int, int]]:
    """Where pictures of one size differ: (x, y, width) of stretches of cells.

    Stretches that lie close together are one, since going to a new place costs more bytes than
    a few cells that are written again.
    """
    for y, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after:
            continue
        start = end = -1
        for x, (one, other) in enumerate(zip(_cells(before), _cells(after), strict=False)):
            if one == other:
                continue
            if start >= 0 and x - end > _NEAR:
                yield start, y, end - start
                start = -1
            start, end = (x if start < 0 else start), x + 1
        if start >= 0:
            yield start, y, end - start


def _cells(row: Row) -> Iterator[Piece]:
    for text, style in row:
        if text.isascii() or cell_len(text) == len(text):
            for character in text:
                yield character, style
        else:
            # A wide character takes two cells, and one that is put on another none.
            cells: list[str] = []
            for character in text:
                cells += [character] * cell_len(character)
            for character in cells:
                yield character, style
