"""Buckets: no spike is lost on any level, and what is drawn already stays put."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.tui.plot.buckets import Bucket, Buckets, columns

POINTS = st.lists(st.tuples(st.integers(0, 10**6), st.floats(-1e6, 1e6)), min_size=1, max_size=300)
FEW = st.integers(1, 64)


def filled(points: list[tuple[int, float]], most: int) -> Buckets:
    buckets = Buckets(most)
    for step, value in points:
        buckets.add(step, value)
    return buckets


@given(POINTS, st.integers(2, 64))
def test_buckets_keep_every_extreme_and_the_latest_value(
    points: list[tuple[int, float]], most: int
) -> None:
    buckets = filled(points, most)
    assert len(buckets) <= most
    assert min(bucket.minimum for bucket in buckets) == min(value for _, value in points)
    assert max(bucket.maximum for bucket in buckets) == max(value for _, value in points)
    last = max(step for step, _ in points)
    newest = [value for step, value in points if step == last][-1]
    assert list(buckets)[-1].last == newest
    assert all(bucket.start % buckets.width == 0 for bucket in buckets)


@given(POINTS)
def test_a_point_lands_in_the_bucket_of_its_step(points: list[tuple[int, float]]) -> None:
    buckets = filled(points, 16)
    for step, value in points:
        bucket = buckets.at(step)
        assert bucket is not None
        assert bucket.start <= step < bucket.start + buckets.width
        assert bucket.minimum <= value <= bucket.maximum


@given(POINTS, FEW, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_range_keeps_every_extreme_however_coarse(
    points: list[tuple[int, float]], most: int, one: int, other: int
) -> None:
    first, last = sorted((one, other))
    buckets = filled(points, 4096)
    found = buckets.within(first, last, most)
    inside = [value for step, value in points if first <= step <= last]
    assert len(found) <= most + 2
    if inside:
        assert min(bucket.minimum for bucket in found) <= min(inside)
        assert max(bucket.maximum for bucket in found) >= max(inside)
    assert [bucket.start for bucket in found] == sorted({bucket.start for bucket in found})


@given(st.lists(st.tuples(POINTS, FEW), min_size=1, max_size=6))
def test_coarser_buckets_are_the_same_whether_kept_or_made_anew(
    growth: list[tuple[list[tuple[int, float]], int]],
) -> None:
    kept, points = Buckets(128), []
    for more, most in growth:
        points += more
        for step, value in more:
            kept.add(step, value)
        fresh = filled(points, 128)
        assert kept.within(0, 10**6, most) == fresh.within(0, 10**6, most)


@given(POINTS, st.integers(2, 200))
def test_columns_keep_every_extreme(points: list[tuple[int, float]], count: int) -> None:
    buckets = filled(points, 4096)
    first, last = min(step for step, _ in points), max(step for step, _ in points)
    found = columns([(bucket.start, bucket) for bucket in buckets], first, last, count)
    assert all(0 <= number < count for number in found)
    assert max(b.maximum for b in found.values()) == max(b.maximum for b in buckets)
    assert min(b.minimum for b in found.values()) == min(b.minimum for b in buckets)


def test_appending_changes_only_the_end() -> None:
    buckets = filled([(step, float(step % 7)) for step in range(1000)], 64)
    before = [bucket.copy(bucket.start) for bucket in buckets][:-1]
    coarse = [bucket.copy(bucket.start) for bucket in buckets.within(0, 2000, 8)][:-1]
    buckets.add(1000, 3.0)
    assert list(buckets)[: len(before)] == before
    assert buckets.within(0, 2000, 8)[: len(coarse)] == coarse


def test_points_that_stand_for_several_keep_their_spread() -> None:
    buckets = Buckets(16, 256)
    buckets.add(256, 1.0, 0.5, 9.0)
    buckets.add(300, 2.0)
    assert list(buckets) == [Bucket(256, 0.5, 9.0, 2.0, 300, 3.0, 2)]


def test_a_series_needs_two_buckets() -> None:
    with pytest.raises(ValueError, match="at least two"):
        Buckets(1)
