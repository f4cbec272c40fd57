"""How numbers, times and curves are written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent import text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600, "1 h 00 min"),
        (90_000, "1 d 1 h"),
        (-3, "0 s"),
        (None, ""),
        (math.inf, ""),
    ],
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (59, "59 s"), (61, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_age(seconds: float, shown: str) -> None:
    assert text.age(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 30, "3.0 GiB"), (None, "")],
)
def test_size(count: int | None, shown: str) -> None:
    assert text.size(count) == shown


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [(0, 7, "0%"), (42, 900, "4%"), (999, 1000, "99%"), (29, 100, "29%"), (7, 7, "100%")],
)
def test_percent_is_100_only_at_the_end(done: int, total: int, shown: str) -> None:
    assert text.percent(done, total) == shown


def test_a_sparkline_goes_from_the_lowest_to_the_highest_mark() -> None:
    assert text.sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert text.sparkline([7, 0], 8, unicode=False) == "#_"


def test_a_sparkline_leaves_gaps_out() -> None:
    assert text.sparkline([1.0, None, math.nan, math.inf, 2.0], 8) == "▁█"
    assert text.sparkline([None], 8) == ""


floats = st.floats(allow_nan=True, allow_infinity=True) | st.none()


@given(st.lists(floats, max_size=300), st.integers(0, 80), st.booleans())
def test_a_sparkline_fits_and_is_ascii_when_asked(
    values: list[float | None], width: int, unicode: bool
) -> None:
    line = text.sparkline(values, width, unicode=unicode)
    assert len(line) <= width
    assert unicode or line.isascii()


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.integers(0, 200), st.booleans())
def test_a_bar_always_has_its_width(done: float, total: float, width: int, unicode: bool) -> None:
    assert len(text.bar(done, total, width, unicode=unicode)) == width


def test_a_bar_is_full_only_at_the_end() -> None:
    assert text.bar(99, 100, 10, unicode=False) == "#########-"
    assert text.bar(100, 100, 10, unicode=False) == "##########"


@given(st.text(), st.integers(3, 100))
def test_one_line_is_one_line_that_fits_and_commands_no_terminal(
    given_text: str, wide: int
) -> None:
    line = text.one_line(given_text, wide)
    assert len(line) <= wide
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)


def test_printable_keeps_lines_and_tabs() -> None:
    assert text.printable("a\tb\nc\x1b[31m") == "a\tb\nc�[31m"
