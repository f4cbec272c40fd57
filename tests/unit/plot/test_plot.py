"""Charts: no spike is lost, buckets stay put, axes are round."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from luthier.tui.plot.axis import Limits, label, limits_for, marks, round_step
from luthier.tui.plot.braille import Canvas
from luthier.tui.plot.buckets import Buckets, columns

POINTS = st.lists(st.tuples(st.integers(0, 10**6), st.floats(-1e6, 1e6)), min_size=1, max_size=300)
FINITE = st.floats(-1e9, 1e9)


@given(POINTS, st.integers(2, 64))
def test_buckets_keep_every_extreme_and_the_latest_value(
    points: list[tuple[int, float]], most: int
) -> None:
    buckets = Buckets(most)
    for step, value in points:
        buckets.add(step, value)
    assert len(buckets) <= most
    assert min(bucket.minimum for bucket in buckets) == min(value for _, value in points)
    assert max(bucket.maximum for bucket in buckets) == max(value for _, value in points)
    last = max(step for step, _ in points)
    newest = [value for step, value in points if step == last][-1]
    assert list(buckets)[-1].last == newest
    assert all(bucket.start % buckets.width == 0 for bucket in buckets)


@given(POINTS)
def test_a_point_lands_in_the_bucket_of_its_step(points: list[tuple[int, float]]) -> None:
    buckets = Buckets(16)
    for step, value in points:
        buckets.add(step, value)
    for step, value in points:
        bucket = buckets.at(step)
        assert bucket is not None
        assert bucket.start <= step < bucket.start + buckets.width
        assert bucket.minimum <= value <= bucket.maximum


@given(POINTS, st.integers(2, 200))
def test_columns_keep_every_extreme(points: list[tuple[int, float]], count: int) -> None:
    buckets = Buckets(4096)
    for step, value in points:
        buckets.add(step, value)
    first, last = min(step for step, _ in points), max(step for step, _ in points)
    held = [column for column in columns(buckets, first, last, count) if column]
    assert max(column.maximum for column in held) == max(bucket.maximum for bucket in buckets)
    assert min(column.minimum for column in held) == min(bucket.minimum for bucket in buckets)


def test_appending_changes_only_the_end() -> None:
    buckets = Buckets(64)
    for step in range(1000):
        buckets.add(step, float(step % 7))
    before = [vars(bucket).copy() for bucket in buckets][:-1]
    buckets.add(1000, 3.0)
    assert [vars(bucket) for bucket in buckets][: len(before)] == before


@given(FINITE, FINITE)
def test_limits_are_around_the_data(one: float, other: float) -> None:
    low, high = sorted((one, other))
    limits = limits_for(low, high, None)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert limits.low <= low + slack
    assert limits.high >= high - slack
    assert limits.high > limits.low


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


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_labels_are_short(value: float) -> None:
    assert len(label(value)) <= 8


def test_marks_lie_inside() -> None:
    assert marks(Limits(0.0, 5.0), 5) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert marks(Limits(1e-3, 1e2), 5, log=True) == [1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0]


def test_a_canvas_draws_the_dots_it_was_given() -> None:
    canvas = Canvas(2, 1)
    canvas.column(0, 0, 3, series=0)
    canvas.dot(3, 3, series=1)
    canvas.dot(99, 0, series=1)
    assert canvas.rows() == ["⡇⢀"]
    assert canvas.cell(0, 1) == ("⢀", 1)
    assert canvas.rows(ascii_only=True) == ["|."]
