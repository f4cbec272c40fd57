"""The pyramid against brute force."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.agent.models import Run, Series
from luthier.agent.states import RunState
from luthier.agent.store import Store
from luthier.trainers.events import EvaluationEvent, Event, MetricsEvent


def open_store(folder: Path) -> Store:
    store = Store.open(folder / "luthier.db")
    store.save_run(
        Run(
            id="r",
            name="r",
            task="llm-sft",
            model="demo",
            host="local",
            state=RunState.RUNNING,
            created_at=0.0,
            folder="/r",
        )
    )
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def feed(store: Store, *events: Event, attempt: int = 1) -> None:
    chunk = b"".join(event.model_dump_json().encode() + b"\n" for event in events)
    store.ingest("r", attempt, chunk, store.offset("r", attempt))


def losses(*points: tuple[int, float | None]) -> list[Event]:
    return [MetricsEvent(step=step, values={"loss": value}) for step, value in points]


Values = dict[int, "float | None"]


def brute_force(values: Values, first: int | None, last: int | None, limit: int) -> Series:
    inside = {
        step: value
        for step, value in sorted(values.items())
        if (first is None or step >= first) and (last is None or step <= last)
    }
    bits = 0
    while len({step >> bits for step in inside}) > limit:
        bits += 1
    buckets: dict[int, list[float | None]] = {}
    for step, value in inside.items():
        buckets.setdefault(step >> bits << bits, []).append(value)
    numbers = [[v for v in bucket if v is not None] for bucket in buckets.values()]
    return Series(
        name="loss",
        bucket=1 << bits,
        steps=list(buckets),
        values=[bucket[-1] for bucket in buckets.values()],
        minimum=[min(bucket, default=None) for bucket in numbers],
        maximum=[max(bucket, default=None) for bucket in numbers],
    )


steps = st.one_of(
    st.integers(0, 40),
    st.integers(0, 3000),
    st.integers(0, 2**20),
    st.integers(0, 2**53 - 1),
)
batches = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.lists(st.tuples(steps, st.none() | st.integers(-100, 100)), max_size=60),
    ),
    max_size=6,
)
queries = st.lists(
    st.tuples(st.none() | steps, st.none() | steps, st.integers(1, 30)), min_size=1, max_size=5
)


@settings(max_examples=150, deadline=None)
@given(batches=batches, queries=queries)
def test_any_order_of_points_reads_like_brute_force(
    batches: list[tuple[int, list[tuple[int, float | None]]]],
    queries: list[tuple[int | None, int | None, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        values: Values = {}
        written_by: dict[int, int] = {}
        for attempt, points in batches:
            feed(store, *losses(*points), attempt=attempt)
            for step, value in points:
                if attempt >= written_by.get(step, 0):
                    written_by[step] = attempt
                    values[step] = value
        for first, last, limit in queries:
            assert store.points("r", "loss", first, last, limit) == brute_force(
                values, first, last, limit
            )
        infos = store.series("r")
        assert len(infos) == bool(values)
        for info in infos:
            numbers = [value for value in values.values() if value is not None]
            assert info.points == len(values)
            assert (info.first_step, info.last_step) == (min(values), max(values))
            assert info.last == values[max(values)]
            assert info.minimum == min(numbers, default=None)
            assert info.maximum == max(numbers, default=None)
        store.close()


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=8),
    stride=st.sampled_from([1, 1, 10, 100]),
    limit=st.integers(1, 300),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_growing_series_reads_like_brute_force(
    sizes: list[int], stride: int, limit: int, ends: tuple[float, float]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        values: Values = {}
        for size in sizes:
            batch = [((len(values) + i) * stride, float(i * 7919 % 101)) for i in range(size)]
            feed(store, *losses(*batch))
            values.update(batch)
        first, last = sorted(int(end * max(values)) for end in ends)
        assert store.points("r", "loss", first, last, limit) == brute_force(
            values, first, last, limit
        )
        store.close()


def test_a_single_spike_among_many_points_survives(store: Store) -> None:
    points = [(step, 1.0 if step != 12_345 else 99.0) for step in range(20_000)]
    for start in range(0, len(points), 2000):
        feed(store, *losses(*points[start : start + 2000]))
    found = store.points("r", "loss", limit=200)
    assert 100 <= len(found.steps) <= 200
    place = found.maximum.index(99.0)
    assert found.steps[place] <= 12_345 < found.steps[place] + found.bucket
    assert found.maximum.count(99.0) == 1


def test_points_that_fit_are_exact_and_none_keeps_its_step(store: Store) -> None:
    feed(store, *losses((1, 2.0), (2, None), (5, float("nan")), (9, float("inf")), (10, -1.0)))
    found = store.points("r", "loss")
    assert found.bucket == 1
    assert found.steps == [1, 2, 5, 9, 10]
    assert found.values == found.minimum == found.maximum == [2.0, None, None, None, -1.0]


def test_metrics_and_evaluations_are_series_of_their_own(store: Store) -> None:
    feed(
        store,
        MetricsEvent(step=1, values={"loss": 2.0, "learning_rate": 1e-4}),
        EvaluationEvent(step=1, values={"eval_loss": 2.5}),
    )
    assert [info.name for info in store.series("r")] == ["eval_loss", "learning_rate", "loss"]
    assert store.points("r", "eval_loss").values == [2.5]
    assert store.points("r", "unknown").steps == store.points("x", "loss").steps == []


def test_a_resumed_attempt_takes_over_step_by_step(store: Store) -> None:
    feed(store, *losses(*((step, 1.0) for step in range(10))), attempt=1)
    feed(store, *losses((5, 2.0), (6, 2.0)), attempt=2)
    # What the first attempt left behind is read late, after an agent was gone for a while.
    feed(store, *losses((6, 3.0), (10, 3.0)), attempt=1)
    found = store.points("r", "loss")
    assert found.values == [1.0] * 5 + [2.0] * 2 + [1.0] * 3 + [3.0]
    assert store.points("r", "loss", limit=6).maximum == [1.0, 1.0, 2.0, 2.0, 1.0, 3.0]
