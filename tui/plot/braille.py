"""A dot canvas: two dots across and four down in each cell, shown as braille or in ASCII.

A column of dots is one integer with a bit for each dot, so that a vertical line is one operation
however long it is. Cells come out of the columns by way of hexadecimal text: a digit is the four
dots of half a cell, so turning columns into rows and putting layers together costs no loop here.
"""

from __future__ import annotations

from dataclasses import dataclass

# Bits of the dots of a cell's left and right half, from the top, by the Unicode standard.
_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)

BLANK = 255
"""The series of cells that nothing was drawn in."""


def _braille(number: int) -> str:
    halves = ((_LEFT, number >> 4), (_RIGHT, number & 15))
    bits = sum(bit for half, dots in halves for row, bit in enumerate(half) if dots >> row & 1)
    return chr(0x2800 + bits) if bits else " "


def _ascii(number: int) -> str:
    """A stroke where the dots are in the cell: ' - . or | when they are above each other."""
    dots = number & 15 | number >> 4
    if dots.bit_count() > 2 or dots & 9 == 9:
        return "|"
    if dots & 6:
        return "-"
    return " '"[dots & 1] if dots < 8 else "."


# Character of a cell by the dots of its right half, and of its left one times 16.
_BRAILLE = "".join(map(_braille, range(256)))
_ASCII = "".join(map(_ascii, range(256)))
_WHERE_EMPTY = bytes([255] + [0] * 255)


@dataclass
class _Layer:
    series: int
    columns: list[int]
    covers: bool

    def rows(self, height: int) -> list[bytes]:
        """A byte for each cell, row by row from the top."""
        columns = [f"{column:0{height}x}" for column in self.columns]
        return [bytes.fromhex("".join(digits)) for digits in zip(*columns, strict=True)][::-1]


class Canvas:
    """Dots of several series on one grid. A cell has the colour of the series drawn last in it.

    Args:
        width: cells across; twice as many dots.
        height: cells down; four times as many dots.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._layers: list[_Layer] = []

    def layer(self, series: int, *, covers: bool = False) -> list[int]:
        """A new layer above all others: for each column of dots a number, bit 0 the uppermost.

        Args:
            series: a number below ``BLANK``.
            covers: in the cells that this layer touches, it hides what lies below.
        """
        self._layers.append(_Layer(series, [0] * (self.width * 2), covers))
        return self._layers[-1].columns

    def rows(self, *, ascii_only: bool = False) -> list[tuple[str, bytes]]:
        """Line by line the characters, and the series of each of them, BLANK for none."""
        nothing = bytes(self.width)
        rows = [(nothing, bytes([BLANK]) * self.width)] * self.height
        for layer in self._layers:
            fresh = layer.rows(self.height)
            rows = [
                _put(layer, cells, *row) if any(cells) else row
                for cells, row in zip(fresh, rows, strict=True)
            ]
        table = _ASCII if ascii_only else _BRAILLE
        return [(cells.decode("latin-1").translate(table), owners) for cells, owners in rows]


def stroke(top: int, bottom: int, height: int) -> int:
    """The dots from ``top`` to ``bottom``, both included, of a column ``height`` dots high."""
    if top < 0:
        top = 0
    if bottom >= height:
        bottom = height - 1
    return (2 << bottom) - (1 << top) if top <= bottom else 0


def _put(layer: _Layer, fresh: bytes, cells: bytes, owners: bytes) -> tuple[bytes, bytes]:
    width = len(fresh)
    empty = int.from_bytes(fresh.translate(_WHERE_EMPTY), "big")
    below = int.from_bytes(cells, "big")
    if layer.covers:
        below &= empty
    mine = int.from_bytes(bytes([layer.series]) * width, "big") & ~empty
    kept = int.from_bytes(owners, "big") & empty
    together = below | int.from_bytes(fresh, "big")
    return together.to_bytes(width, "big"), (mine | kept).to_bytes(width, "big")
