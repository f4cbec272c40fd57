"""Axes: round limits that stay put, round marks, short labels; the visible window."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.tui.plot.across import Across, time_label, time_step
from luthier.tui.plot.axis import Limits, label, limits_for, marks, round_step
from luthier.tui.plot.window import Window

FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(1e-12, 1e12)


@given(FINITE, FINITE)
def test_limits_are_around_the_data(one: float, other: float) -> None:
    low, high = sorted((one, other))
    limits = limits_for(low, high, None)
    low, high = (max(-1e300, min(value, 1e300)) for value in (low, high))
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert limits.low <= low + slack
    assert limits.high >= high - slack
    assert limits.high > limits.low


@given(POSITIVE, POSITIVE)
def test_logarithmic_limits_are_around_the_data_and_close(one: float, other: float) -> None:
    low, high = sorted((one, other))
    limits = limits_for(low, high, None, log=True)
    assert low / 5.01 <= limits.low <= low * (1 + 1e-6)
    assert high * (1 - 1e-6) <= limits.high <= high * 5.01
    found = marks(limits, 6, log=True)
    assert len(found) <= 8
    assert all(limits.low * 0.99 <= value <= limits.high * 1.01 for value in found)


def test_limits_stay_while_the_data_fits() -> None:
    held = limits_for(0.3, 4.8, None)
    assert held == Limits(0.0, 5.0)
    assert limits_for(0.5, 4.0, held) is held
    assert limits_for(0.5, 6.0, held) != held
    assert limits_for(0.01, 0.02, held) != held


@given(st.floats(1e-9, 1e9), st.integers(1, 20))
def test_steps_are_round(span: float, count: int) -> None:
    step = round_step(span, count)
    assert span / step <= count * (1 + 1e-6)
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - wanted) for wanted in (1, 2, 2.5, 5, 10)) < 1e-6


@given(st.floats(-1e99, 1e99).filter(lambda value: value == 0 or abs(value) > 1e-99))
def test_labels_are_short_and_near_the_value(value: float) -> None:
    text = label(value)
    assert len(text) <= 7
    units = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    number = float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)
    assert number == pytest.approx(value, rel=0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0002, "2e-4"), (0.0001875, "1.88e-4"), (12_345, "12.35k"), (2e6, "2M"), (0.25, "0.25")],
)
def test_labels_read_well(value: float, text: str) -> None:
    assert label(value) == text


def test_marks_lie_inside() -> None:
    assert marks(Limits(0.0, 5.0), 5) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert marks(Limits(1e-3, 1e2), 6, log=True) == [1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0]
    assert marks(Limits(0.5, 5.0), 6, log=True) == [0.5, 1.0, 2.0, 5.0]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**9)), max_size=50))
def test_places_and_steps_are_each_other_s_inverse(known: list[tuple[int, int]]) -> None:
    across = Across("time", [(step, milliseconds / 1000) for step, milliseconds in known])
    first, last = min(known, default=(0, 0))[0], max(known, default=(9, 0))[0]
    before = None
    for step in range(first, last, max(1, (last - first) // 20)):
        place = across.place(step)
        assert before is None or place > before
        assert across.step(place) == pytest.approx(step, abs=1e-3 * max(1, last))
        before = place


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (45, "45s"), (90, "1m30"), (600, "10m"), (5400, "1h30"), (180_000, "2d2h")],
)
def test_times_read_well(seconds: float, text: str) -> None:
    assert time_label(seconds) == text


@given(st.floats(1, 1e8), st.integers(1, 12))
def test_time_is_cut_into_few_round_parts(span: float, count: int) -> None:
    step = time_step(span, count)
    assert span / step <= count * 1.0001
    assert step in (1, 2, 5, 10, 15, 30) or step % 60 == 0


def test_a_window_that_shows_everything_doubles_up_to_the_known_end() -> None:
    window, ends = Window(4), []
    for last in range(1001):
        window.cover(0, last, expected=1000)
        assert last <= window.visible.high
        assert last >= window.visible.high / 2 or window.visible.high == 1000 / 32
        ends.append(window.visible.high)
    assert len(set(ends)) == 6
    assert ends[-1] == 1000


def test_an_estimate_that_wavers_moves_nothing() -> None:
    window = Window(4)
    for expected in (1000, 1004, 997):
        window.cover(0, 510, expected=expected)
        assert window.visible == Limits(0, 1000)


def test_a_window_without_a_known_end_grows_in_leaps() -> None:
    window, ends = Window(4), set()
    for last in range(1, 2000):
        window.cover(0, last)
        assert window.visible.high >= last
        ends.add(window.visible.high)
    assert len(ends) < 40


def test_zooming_keeps_the_centre_in_its_place() -> None:
    window = Window(4)
    window.cover(0, 1000, expected=1000)
    share = window.visible.position(300)
    window.zoom(0.5, 300)
    assert window.visible.position(300) == pytest.approx(share)
    assert window.visible.high - window.visible.low == pytest.approx(500)
    window.zoom(2, 300)
    assert not window.is_zoomed


@given(st.lists(st.tuples(st.sampled_from(["zoom", "pan"]), st.floats(-3, 3)), max_size=30))
def test_a_window_never_leaves_the_whole(moves: list[tuple[str, float]]) -> None:
    window = Window(4)
    window.cover(0, 1000, expected=1000)
    for kind, amount in moves:
        if kind == "zoom":
            window.zoom(2**amount, 1000 * abs(amount) / 3)
        else:
            window.pan(amount)
        seen = window.visible
        assert 0 <= seen.low < seen.high <= 1000 + 1e-6
        assert seen.high - seen.low >= 4 - 1e-6


def test_a_window_at_the_end_follows_what_comes() -> None:
    window = Window(4)
    window.cover(0, 500, expected=10_000)
    window.zoom(0.05, 500, newest=500)
    span = window.visible.high - window.visible.low
    for last in range(500, 3000, 10):
        window.cover(0, last, expected=10_000)
        assert window.visible.low <= last <= window.visible.high
    assert window.visible.high - window.visible.low == pytest.approx(span)
    window.pan(-1, newest=3000)
    held = window.visible
    window.cover(0, 4000, expected=10_000)
    assert window.visible == held


@given(st.floats(1e-9, 9e14))
def test_labels_have_at_least_two_right_figures(value: float) -> None:
    text = label(value)
    units = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    number = float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)
    assert number == pytest.approx(value, rel=0.005)
