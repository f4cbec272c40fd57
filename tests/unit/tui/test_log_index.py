"""Logs: any place in them from a few blocks, lines as a terminal may show them, searching."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.tui.log_lines import Pager, kind_of, shown, wrapped
from luthier.tui.logs import (
    BLOCK,
    LineIndex,
    Missing,
    Output,
    error_finder,
    find,
    looks_wrong,
    words_finder,
)

FETCH = 4 * BLOCK


class Reader:
    """What an agent would answer, and how many bytes it was asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bytes_read = 0

    def __call__(self, offset: int, limit: int) -> tuple[bytes, int]:
        part = self.data[offset : offset + limit]
        self.bytes_read += len(part)
        return part, len(self.data)


def done(output: Output, read: Reader, operation: Callable[[], Any]) -> Any:
    """The result of an operation, with every block fetched that it misses."""
    for _ in range(200):
        try:
            return operation()
        except Missing as missing:
            begin = missing.offset // BLOCK * BLOCK
            output.put(begin, *read(begin, FETCH))
    raise AssertionError("it misses more and more")


def opened(data: bytes) -> tuple[Output, Reader]:
    output, read = Output(), Reader(data)
    output.put(0, b"", len(data))
    return output, read


def all_lines(data: bytes) -> list[str]:
    return [shown(line) for line in data.split(b"\n")][: -1 if data.endswith(b"\n") else None]


# Short lines, long ones, and none at all for more than a block.
LINES = st.lists(
    st.one_of(st.integers(0, 200), st.integers(BLOCK - 3, BLOCK + 3)), min_size=1, max_size=40
)


def text_of(lengths: list[int], end: bytes = b"\n") -> bytes:
    return b"\n".join(f"{n}:".encode() + b"x" * length for n, length in enumerate(lengths)) + end


@settings(max_examples=40, deadline=None)
@given(LINES, st.sampled_from([b"\n", b""]))
def test_walking_through_gives_every_byte_once(lengths: list[int], end: bytes) -> None:
    data = text_of(lengths, end)
    output, read = opened(data)
    starts, place = [], 0
    while place is not None:
        starts.append(place)
        place = done(output, read, lambda at=place: output.next_start(at))
    assert all(b > a for a, b in itertools.pairwise(starts))
    joined = b"".join(data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True))
    assert joined == data
    back, at = [], len(data)
    while (before := done(output, read, lambda at=at: output.previous_start(at))) is not None:
        back.append(before)
        at = before
    assert back[::-1] == starts
    for start, following in zip(starts, [*starts[1:], len(data)], strict=True):
        middle = (start + following - 1) // 2
        assert done(output, read, lambda at=middle: output.line_start(at)) == start
    if max(lengths) < BLOCK - 100:
        lines = [done(output, read, lambda at=start: output.line(at)) for start in starts]
        assert [shown(line) for line in lines] == all_lines(data)


def test_the_end_of_a_large_log_needs_little_of_it() -> None:
    data = b"".join(b"line %07d with some words in it\n" % n for n in range(300_000))
    output, read = opened(data)
    pager = Pager(output)
    pager.resize(80, 24)
    rows = done(output, read, pager.rows)
    assert [row.text[:12] for row in rows] == [f"line {n:07}" for n in range(299_976, 300_000)]
    assert read.bytes_read < 8 * BLOCK
    done(output, read, lambda: pager.to_line(len(data) // 2))
    assert len(done(output, read, pager.rows)) == 24
    assert read.bytes_read < 20 * BLOCK


def test_blocks_used_long_ago_are_forgotten_and_come_back() -> None:
    data = text_of([100] * 60_000)
    output = Output(most=8)
    read = Reader(data)
    output.put(0, b"", len(data))
    pager = Pager(output)
    pager.resize(80, 10)
    for place in (0, len(data) // 2, len(data) - 1, 0):
        done(output, read, lambda at=place: pager.to_line(at))
        done(output, read, pager.rows)
        assert len(output._blocks) <= 8
    assert done(output, read, pager.rows)[0].text.startswith("0:")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=120),
    st.lists(st.integers(-40, 40), max_size=12),
    st.booleans(),
)
def test_moving_about_shows_what_a_plain_list_would(
    lengths: list[int], moves: list[int], wrap: bool
) -> None:
    data = text_of(lengths)
    output, read = opened(data)
    pager = Pager(output)
    pager.wrap = wrap
    pager.resize(20, 7)
    rows = [part for line in all_lines(data) for part in (wrapped(line, 20) if wrap else [line])]
    most = max(0, len(rows) - 7)
    top = most
    done(output, read, pager.rows)
    for move in moves:
        done(output, read, lambda by=move: pager.move(by))
        top = max(0, min(top + move, most))
        assert [row.text for row in done(output, read, pager.rows)] == rows[top : top + 7]


def test_following_shows_what_was_added() -> None:
    output = Output()
    pager = Pager(output)
    pager.resize(40, 3)
    data = b""
    for number in range(5000):
        data += b"step %d\n" % number
        if number % 700 == 0:
            output.grown(len(data))
            rows = done(output, Reader(data), pager.rows)
            assert rows[-1].text == f"step {number}"
    pager.move(-1)
    output.grown(len(data))
    assert done(output, Reader(data), pager.rows)[-1].text == "step 4899"


def test_a_log_that_was_replaced_by_a_shorter_one_is_read_anew() -> None:
    output, read = opened(b"old words\n" * 100)
    pager = Pager(output)
    done(output, read, pager.rows)
    output.grown(9)
    assert [row.text for row in done(output, Reader(b"new word\n"), pager.rows)] == ["new word"]


@given(st.lists(st.integers(0, 5 * BLOCK), max_size=8), st.integers(0, 50))
def test_lines_are_counted_whatever_the_pieces(cuts: list[int], seed: int) -> None:
    source = random.Random(seed)
    data = b"".join(b"x" * source.randrange(200) + b"\n" for _ in range(1500))
    index, before = LineIndex(), 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        index.add(data[before:cut])
        before = cut
    assert index.counted == len(data)
    assert index.lines == 1500

    def block(number: int) -> bytes:
        return data[number * BLOCK : (number + 1) * BLOCK]

    for place in (0, 1, BLOCK - 1, BLOCK, len(data) // 2, len(data) - 1):
        if place < len(data):
            assert index.lines_before(place, block) == data[:place].count(b"\n")


def test_what_is_not_counted_yet_is_not_known() -> None:
    index = LineIndex()
    index.add(b"a\nb\n")
    assert index.lines_before(100, lambda number: b"") is None


# -- searching -----------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 4_000_000), max_size=6), st.integers(0, 4_000_000))
def test_words_are_found_wherever_they_are(places: list[int], start: int) -> None:
    data = bytearray(b"." * 4_000_000)
    for place in places:
        data[place : place + 6] = b"NeeDle"[: len(data) - place]
    whole = bytes(data)
    read = Reader(whole)
    true = [match.start() for match in re.finditer(b"NeeDle", whole)]
    ahead = [place for place in true if place >= start]
    behind = [place for place in true if place < start]
    finder = words_finder("needle")
    assert find(read, finder, start, forward=True) == (ahead[0] if ahead else None)
    found = find(read, finder, start, forward=False)
    whole_ones = [place for place in behind if place + 6 <= start]
    assert found == (whole_ones[-1] if whole_ones else None)


def test_a_search_that_nobody_wants_any_more_ends() -> None:
    read = Reader(b"." * 20_000_000)
    answers = iter([True, True])
    found = find(read, words_finder("x"), 0, forward=True, wanted=lambda: next(answers, False))
    assert found is None
    assert read.bytes_read < 3_000_000


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"ERROR: it broke", "error"),
        (b"Traceback (most recent call last):", "error"),
        (b"torch.OutOfMemoryError: CUDA", "error"),
        (b"ValueError: no", "error"),
        (b"Killed", "error"),
        (b"UserWarning: deprecated", "warning"),
        (b"WARNING something", "warning"),
        (b"mean_squared_error 0.1", ""),
        (b"terrors and mirrors", ""),
        (b"step 4 loss 0.1", ""),
    ],
)
def test_lines_that_look_wrong_are_known(line: bytes, kind: str) -> None:
    assert kind_of(line) == kind
    assert bool(list(error_finder(b"fine\n" + line))) == (kind == "error")


@given(
    st.lists(st.sampled_from([*"aE _:.", "error", "Error", "ValueError", "KILLED", "Exception"]))
)
def test_lines_are_marked_where_the_search_for_errors_stops(parts: list[str]) -> None:
    line = "".join(parts).encode()
    assert looks_wrong(line) == any(True for _ in error_finder(line))


# -- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07after", "after"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\r 10%|#\r 50%|###\r100%|######", "100%|######"),
        (b"done\r", "done"),
        (b"a\tb", "a       b"),
        (b"bell\x07 and \x00", "bell\ufffd and \ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("right\u202eto left".encode(), "rightto left"),
        (b"\x1b[2J\x1b[1;1Hgone", "gone"),
        (b"\x1bcreset", "reset"),
    ],
)
def test_lines_are_shown_without_what_commands_a_terminal(line: bytes, text: str) -> None:
    assert shown(line) == text


@given(st.binary(max_size=300))
def test_no_line_can_command_a_terminal(line: bytes) -> None:
    assert all(ord(c) >= 32 and not 127 <= ord(c) < 160 for c in shown(line).replace("\n", ""))


@given(st.text(max_size=80), st.integers(2, 30))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    assert "".join(wrapped(text, width)) == text
