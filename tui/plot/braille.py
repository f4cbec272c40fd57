"""A dot canvas of braille characters: two dots across and four down in each cell."""

from __future__ import annotations

_BLANK = 0x2800
# Bit of the dot in column x (0, 1) and row y (0 to 3) of a cell, by the Unicode standard.
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_ASCII = " .:|"


class Canvas:
    """Dots of several series on one grid. A cell has the colour of the series drawn last in it.

    Args:
        width: cells across; twice as many dots.
        height: cells down; four times as many dots.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._bits = [[0] * width for _ in range(height)]
        self._series = [[-1] * width for _ in range(height)]

    def dot(self, x: int, y: int, series: int) -> None:
        """Set the dot ``x`` from the left and ``y`` from the top; outside the grid, nothing."""
        if 0 <= x < self.width * 2 and 0 <= y < self.height * 4:
            row, column = y // 4, x // 2
            self._bits[row][column] |= _BITS[x % 2][y % 4]
            self._series[row][column] = series

    def column(self, x: int, top: int, bottom: int, series: int) -> None:
        """Set the dots of column ``x`` from ``top`` to ``bottom``, both included."""
        for y in range(max(0, top), min(self.height * 4 - 1, bottom) + 1):
            self.dot(x, y, series)

    def cell(self, row: int, column: int, *, ascii_only: bool = False) -> tuple[str, int]:
        """The character of a cell and the number of its series, -1 where it is empty."""
        bits = self._bits[row][column]
        series = self._series[row][column]
        if not ascii_only:
            return (chr(_BLANK + bits) if bits else " "), series
        return _ASCII[min(3, bits.bit_count())], series

    def rows(self, *, ascii_only: bool = False) -> list[str]:
        """The characters line by line, without colours."""
        return [
            "".join(
                self.cell(row, column, ascii_only=ascii_only)[0] for column in range(self.width)
            )
            for row in range(self.height)
        ]
