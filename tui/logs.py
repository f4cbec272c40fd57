"""The output of an attempt, read in blocks where it is looked at: a million lines are never loaded.

A block that is not here yet makes a reading method raise ``Missing``; whoever called fetches it
from the agent, hands it to ``Output.put`` and calls again.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable

BLOCK = 64 * 1024
_PIECE = 16 * BLOCK
# A match may lie across two pieces; longer patterns than this are not looked for.
_OVERLAP = 512

# What makes a line worth a jump to the next error. The whole pattern searches a hundred MiB in
# eight seconds, the plain words in one; so they are looked for first.
_ERROR_WORDS = (
    *(b"error", b"exception", b"traceback", b"fatal", b"panic", b"killed"),
    *(b"segmentation fault", b"out of memory"),
)
_ERROR = re.compile(
    rb"(?i:(?<!\w)(?:" + b"|".join(_ERROR_WORDS) + rb")\b)|(?<=[a-z])(?:Error|Exception)\b"
)

Finder = Callable[[bytes], Iterable[int]]
"""Gives where something begins in some bytes, first places first."""


class Missing(Exception):  # noqa: N818 - nothing is wrong, something is to be fetched
    """Bytes from ``offset`` on are needed that are not here."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the bytes from {offset} on are not here")
        self.offset = offset


class Output:
    """The blocks of one attempt's output that are at hand, and where lines begin in them.

    A line begins after a newline. One that has none for a whole block (a progress bar that only
    returns the carriage) is cut where a block begins, so that no line is longer than two blocks.

    Args:
        most: blocks that are kept; those used longest ago are forgotten.
    """

    def __init__(self, most: int = 64) -> None:
        self.size = 0
        self._most = most
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._starts: dict[int, list[int]] = {}

    def put(self, offset: int, data: bytes, size: int) -> None:
        """Take in bytes from ``offset`` on, of an output that has ``size`` bytes by now."""
        if size < self.size:
            # The file was replaced by a shorter one.
            self._blocks.clear()
            self._starts.clear()
        self.size = size
        end = offset + len(data)
        for number in range(offset // BLOCK, -(-end // BLOCK)):
            begin = number * BLOCK
            held = self._blocks.get(number, b"")
            if offset > begin + len(held):
                continue
            part = data[max(0, begin - offset) : begin + BLOCK - offset]
            whole = held[: max(0, offset - begin)] + part
            if len(whole) > len(held):
                self._blocks[number] = whole
                self._starts.pop(number, None)
            self._blocks.move_to_end(number)
        while len(self._blocks) > self._most:
            forgotten, _ = self._blocks.popitem(last=False)
            self._starts.pop(forgotten, None)

    def grown(self, size: int) -> bool:
        """The output has ``size`` bytes now; returns whether that is news."""
        news = size != self.size
        if size < self.size:
            self.put(0, b"", size)
        self.size = size
        return news

    def line_start(self, offset: int) -> int:
        """Where the line begins that has the byte at ``offset``."""
        number = min(offset, max(0, self.size - 1)) // BLOCK
        while True:
            starts = self._starts_in(number)
            place = bisect_right(starts, offset)
            if place:
                return starts[place - 1]
            if number == 0:
                return 0
            number -= 1

    def next_start(self, start: int) -> int | None:
        """Where the line after the one at ``start`` begins; None when it is the last one."""
        for number in range(start // BLOCK, -(-self.size // BLOCK)):
            starts = self._starts_in(number)
            place = bisect_right(starts, start)
            if place < len(starts):
                return starts[place] if starts[place] < self.size else None
        return None

    def previous_start(self, start: int) -> int | None:
        """Where the line before the one at ``start`` begins; None when it is the first."""
        return self.line_start(start - 1) if start > 0 else None

    def line(self, start: int) -> bytes:
        """The line that begins at ``start``, without its newline."""
        end = self.next_start(start)
        return self._bytes(start, self.size if end is None else end).rstrip(b"\r\n")

    def _bytes(self, start: int, end: int) -> bytes:
        found = b""
        for number in range(start // BLOCK, -(-end // BLOCK)):
            begin = number * BLOCK
            found += self.block(number)[max(0, start - begin) : max(0, end - begin)]
        return found

    def block(self, number: int) -> bytes:
        """A block by its number, as far as the output goes."""
        begin = number * BLOCK
        wanted = min(BLOCK, self.size - begin)
        data = self._blocks.get(number, b"")
        if len(data) < wanted:
            raise Missing(begin + len(data))
        if data:
            self._blocks.move_to_end(number)
        return data

    def _starts_in(self, number: int) -> list[int]:
        """Where lines begin in a block, as offsets in the output."""
        data = self.block(number)
        held = self._starts.get(number)
        if held is not None:
            return held
        begin = number * BLOCK
        starts = [begin + match.end() for match in re.finditer(b"\n", data)]
        if starts and starts[-1] == begin + BLOCK:
            starts.pop()
        if number == 0 or self._breaks_before(number):
            starts.insert(0, begin)
        self._starts[number] = starts
        return starts

    def _breaks_before(self, number: int) -> bool:
        before = self.block(number - 1)
        return before.endswith(b"\n") or b"\n" not in before


class LineIndex:
    """How many lines there are before each block, as far as the output was counted.

    Counting needs the bytes one after the other from the start; keeping it needs eight bytes for
    each 64 KiB.

    Attributes:
        counted: bytes that were counted.
        counting: whether somebody is at it.
    """

    def __init__(self) -> None:
        self._counts = array("Q", [0])
        self._open = 0
        self.counted = 0
        self.counting = False

    def add(self, data: bytes) -> None:
        """Count the bytes that follow on those counted so far."""
        place = 0
        while place < len(data):
            room = BLOCK - self.counted % BLOCK
            piece = data[place : place + room]
            self._open += piece.count(b"\n")
            self.counted += len(piece)
            place += len(piece)
            if self.counted % BLOCK == 0:
                self._counts.append(self._open)

    @property
    def lines(self) -> int:
        """Newlines counted so far."""
        return self._open

    def lines_before(self, offset: int, block: Callable[[int], bytes]) -> int | None:
        """How many newlines there are before ``offset``; None while that is not counted yet.

        Args:
            block: gives the bytes of a block by its number.
        """
        number = offset // BLOCK
        if offset > self.counted or number >= len(self._counts):
            return None
        return self._counts[number] + block(number)[: offset % BLOCK].count(b"\n")


def words_finder(words: str) -> Finder:
    """Finds words, whatever their case."""
    pattern = re.compile(re.escape(words.encode()), re.IGNORECASE)
    return lambda data: (match.start() for match in pattern.finditer(data))


def error_finder(data: bytes) -> Iterable[int]:
    """Finds what looks like an error."""
    low = data.lower()
    found = {match.start() for word in _ERROR_WORDS for match in re.finditer(re.escape(word), low)}
    return (place for place in sorted(found) if _ERROR.match(data, place))


def looks_wrong(line: bytes) -> bool:
    """Whether the error finder would stop at the line."""
    return _ERROR.search(line) is not None


def find(
    read: Callable[[int, int], tuple[bytes, int]],
    finder: Finder,
    start: int,
    *,
    forward: bool,
    wanted: Callable[[], bool] = lambda: True,
) -> int | None:
    """Where something is found first from ``start`` on, or last before it; None where not.

    Args:
        read: gives up to so many bytes from an offset on, and the size of the whole.
        wanted: asked before each piece; once it says no, nothing is found.
    """
    if not forward:
        return _find_backward(read, finder, start, wanted)
    offset, size = start, start + 1
    while offset < size and wanted():
        data, size = read(offset, _PIECE + _OVERLAP)
        for place in finder(data):
            return offset + place
        if len(data) <= _OVERLAP:
            break
        offset += len(data) - _OVERLAP if offset + len(data) < size else len(data)
    return None


def _find_backward(
    read: Callable[[int, int], tuple[bytes, int]],
    finder: Finder,
    end: int,
    wanted: Callable[[], bool],
) -> int | None:
    high = end
    while high > 0 and wanted():
        low = max(0, high - _PIECE)
        data, _ = read(low, min(high + _OVERLAP, end) - low)
        found = [place for place in finder(data) if low + place < high]
        if found:
            return low + found[-1]
        high = low
    return None
