"""A dot canvas: two dots across and four down in each cell, shown as braille or in ASCII.

A column of dots is one integer with a bit for each dot, so that a vertical line is one operation
however long it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

# Bits of the dots of a cell's left and right half, from the top, by the Unicode standard.
_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
_ROWS = 4


def _braille(number: int) -> str:
    halves = ((_LEFT, number & 15), (_RIGHT, number >> 4))
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


# Character of a cell by the dots of its left half, and of its right one times 16.
BRAILLE = "".join(map(_braille, range(256)))
ASCII = "".join(map(_ascii, range(256)))


@dataclass
class _Layer:
    series: int
    columns: list[int]
    covers: bool


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
            covers: in the cells that this layer touches, it hides what lies below.
        """
        self._layers.append(_Layer(series, [0] * (self.width * 2), covers))
        return self._layers[-1].columns

    def rows(self, *, ascii_only: bool = False) -> list[tuple[str, list[int]]]:
        """Line by line the characters, and the series of each of them: -1 where it is blank."""
        table = ASCII if ascii_only else BRAILLE
        used = [reduce(or_, layer.columns, 0) for layer in self._layers]
        found = []
        for shift in range(0, self.height * _ROWS, _ROWS):
            dots, owners = [0] * self.width, [-1] * self.width
            for layer, any_dots in zip(self._layers, used, strict=True):
                if any_dots >> shift & 15:
                    _stamp(layer, shift, dots, owners)
            found.append(("".join([table[number] for number in dots]), owners))
        return found


def stroke(top: int, bottom: int, height: int) -> int:
    """The dots from ``top`` to ``bottom``, both included, of a column ``height`` dots high."""
    top, bottom = max(0, top), min(height - 1, bottom)
    return (1 << bottom + 1) - (1 << top) if top <= bottom else 0


def _stamp(layer: _Layer, shift: int, dots: list[int], owners: list[int]) -> None:
    columns, series, covers = layer.columns, layer.series, layer.covers
    for cell in range(len(dots)):
        number = (columns[2 * cell] >> shift & 15) | (columns[2 * cell + 1] >> shift & 15) << 4
        if number:
            dots[cell] = number if covers else dots[cell] | number
            owners[cell] = series
