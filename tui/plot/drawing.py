"""A finished picture as rows of styled text, and what of it differs from the one before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

Piece = tuple[str, str]
"""Text with the name of its style."""
Row = list[Piece]

_NEAR = 16
_WORD = re.compile(r"\s*\S+\s*|\s+")
_STRETCH = re.compile(rb"(.)\1*", re.DOTALL)


def pieces(characters: str, owners: bytes, styles: Mapping[int, str]) -> Row:
    """Characters with a number each as a row, whose styles are those of the numbers."""
    return [
        (characters[match.start() : match.end()], styles[match[0][0]])
        for match in _STRETCH.finditer(owners)
    ]


def fitted(row: Row, width: int) -> Row:
    """The row cut or filled with blanks to ``width`` cells."""
    kept: Row = []
    left = width
    for text, style in row:
        length = cell_len(text)
        if length > left:
            text, length = set_cell_size(text, left), left
        if length:
            kept.append((text, style))
            left -= length
    if left:
        kept.append((" " * left, ""))
    return kept


def wrap(row: Row, width: int, head: Row | None = None) -> list[Row]:
    """The row in rows of at most ``width`` cells, broken between words where that is possible.

    Args:
        head: stands before the first one; the others are indented by its width.
    """
    head = head or []
    indent = sum(cell_len(text) for text, _ in head)
    room = max(1, width - indent)
    whole = "".join(text for text, _ in row)
    if cell_len(whole) <= room:
        return [[*head, *row]]
    rows = [_part(row, begin, end) for begin, end in _breaks(whole, room)]
    blank = [(" " * indent, "")] if indent else []
    return [[*(blank if number else head), *each] for number, each in enumerate(rows)]


def _breaks(text: str, width: int) -> Iterator[tuple[int, int]]:
    """Where the rows of a text begin and end; blanks at their ends are left out."""
    begin = end = used = 0
    for word in _WORD.finditer(text):
        bare = word[0].rstrip()
        length = cell_len(bare)
        if used + length > width and used:
            yield begin, begin + len(text[begin:end].rstrip())
            begin, used = word.start(), 0
        place = word.start()
        while length > width:
            # A wide character is more than a single cell holds, and must go somewhere.
            fits = max(1, len(chop_cells(bare, width)[0]))
            yield place, place + fits
            bare, place = bare[fits:], place + fits
            begin, length = place, cell_len(bare)
        used += length + cell_len(word[0]) - cell_len(word[0].rstrip())
        end = word.end()
    yield begin, begin + len(text[begin:].rstrip())


def _part(row: Row, begin: int, end: int) -> Row:
    found: Row = []
    place = 0
    for text, style in row:
        piece = text[max(0, begin - place) : max(0, end - place)]
        if piece:
            found.append((piece, style))
        place += len(text)
    return found


def changes(old: Sequence[Row], new: Sequence[Row]) -> Iterator[tuple[int, int, int]]:
    """Where pictures of one size differ: (x, y, width) of stretches of cells.

    Stretches that lie close together are one, since going to a new place costs more bytes than
    a few cells that are written again.
    """
    for y, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after:
            continue
        start = end = -1
        for x in _differing(before, after):
            if start >= 0 and x - end > _NEAR:
                yield start, y, end - start
                start = -1
            start, end = (x if start < 0 else start), x + 1
        if start >= 0:
            yield start, y, end - start


def _differing(before: Row, after: Row) -> list[int]:
    """The cells in which two rows of one width differ."""
    (old, old_styles), (new, new_styles) = _cells(before), _cells(after)
    if old_styles == new_styles:
        return [x for x, (one, other) in enumerate(zip(old, new, strict=False)) if one != other]
    cells = zip(old, new, old_styles, new_styles, strict=False)
    return [x for x, (one, other, was, now) in enumerate(cells) if one != other or was != now]


def _cells(row: Row) -> tuple[str, list[str]]:
    """The character of each cell, and its style.

    A wide character takes two cells, and one that is put on another none.
    """
    pieces: list[str] = []
    styles: list[str] = []
    for text, style in row:
        narrow = text.isascii() or cell_len(text) == len(text)
        cells = text if narrow else "".join(each * cell_len(each) for each in text)
        pieces.append(cells)
        styles += [style] * len(cells)
    return "".join(pieces), styles
