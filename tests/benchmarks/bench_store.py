"""How fast the store takes metric points in and gives them back; run by hand.

    python tests/benchmarks/bench_store.py [--seconds 10] [--points 1000000]

Figures that depend on the machine come in pairs, one beside the other under the same load.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

from luthier.agent.models import Run
from luthier.agent.states import RunState
from luthier.agent.store import Store
from luthier.agent.stream import Stream

VALUES_PER_EVENT = 10
POINTS_PER_SECOND = 10_000
# An agent looks at the files of its runs this often.
PIECES_PER_SECOND = 10


def open_store(folder: Path) -> Store:
    """A store with one running run."""
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


def lines(first: int, count: int, values: int) -> bytes:
    """Metrics events with that many values each."""
    return b"".join(
        json.dumps(
            {
                "t": 1.0,
                "kind": "metrics",
                "step": step,
                "epoch": step / 1000,
                "values": {f"metric_{n}": math.sin(step + n) for n in range(values)},
            }
        ).encode()
        + b"\n"
        for step in range(first, first + count)
    )


async def watch_lag(lags: list[float]) -> None:
    """Note by how much the loop is late, two hundred times a second."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        lags.append((time.perf_counter() - start - 0.005) * 1000)


async def feed(store: Store, stream: Stream, seconds: float) -> float:
    """Ingest at the fixed rate in a thread; returns the seconds spent ingesting."""
    events = POINTS_PER_SECOND // VALUES_PER_EVENT // PIECES_PER_SECOND
    pieces = int(seconds * PIECES_PER_SECOND)
    prepared = [lines(n * events, events, VALUES_PER_EVENT) for n in range(pieces)]
    offset = 0
    busy = 0.0
    begin = time.perf_counter()
    for number, piece in enumerate(prepared):
        start = time.perf_counter()
        done = await asyncio.to_thread(store.ingest, "r", 1, piece, offset)
        busy += time.perf_counter() - start
        offset = done.offset
        stream.publish(done.messages)
        due = begin + (number + 1) / PIECES_PER_SECOND
        await asyncio.sleep(max(due - time.perf_counter(), 0))
    return busy


async def listen(stream: Stream) -> None:
    """A client: every message as the text that would go over the socket."""
    async with aclosing(stream.subscribe(0)) as messages:
        async for message in messages:
            message.model_dump_json()


async def lag(seconds: float) -> None:
    """The loop's lag while nothing happens, and while points stream in."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        stream = Stream(store)
        figures = {}
        for name in ("idle", "ingesting"):
            lags: list[float] = []
            helpers = [asyncio.create_task(watch_lag(lags))]
            if name == "idle":
                await asyncio.sleep(seconds / 2)
            else:
                helpers += [asyncio.create_task(listen(stream)) for _ in range(2)]
                busy = await feed(store, stream, seconds)
            for helper in helpers:
                helper.cancel()
            figures[name] = sorted(lags)
        stored = sum(info.points for info in store.series("r"))
        store.close()
    print(f"{POINTS_PER_SECOND:,} points/s for {seconds:.0f} s, two clients: {stored:,} stored,")
    print(f"  the ingesting thread was busy {busy / seconds:.0%} of the time; loop lag in ms:")
    for name, sample in figures.items():
        p50, p99 = (sample[int(len(sample) * share)] for share in (0.5, 0.99))
        print(f"  {name:10} p50 {p50:6.2f}  p99 {p99:6.2f}  max {sample[-1]:6.2f}")


def median_ms(action: Callable[[], object]) -> float:
    """Median of nine runs."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def query(points: int) -> None:
    """2,000 points of many: the pyramid, and a plain GROUP BY over the same table."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        offset = 0
        start = time.perf_counter()
        for first in range(0, points, 1000):
            offset = store.ingest("r", 1, lines(first, 1000, 1), offset).offset
        seconds = time.perf_counter() - start
        print(f"ingest flat out: {points / seconds:,.0f} events/s of one value")
        plain = sqlite3.connect(Path(folder) / "luthier.db")
        found = store.points("r", "metric_0")
        statement = (
            f"SELECT step / {found.bucket}, min(value), max(value) FROM point"
            " WHERE series = 1 GROUP BY 1"
        )
        assert len(plain.execute(statement).fetchall()) == len(found.steps)
        first, last = points // 3, points // 3 + points // 10
        pyramid = median_ms(lambda: store.points("r", "metric_0"))
        part = median_ms(lambda: store.points("r", "metric_0", first, last))
        grouped = median_ms(lambda: plain.execute(statement).fetchall())
        print(f"{len(found.steps):,} buckets of {points:,} points, median ms:")
        print(f"  pyramid {pyramid:.2f}  plain GROUP BY {grouped:.1f}  ({grouped / pyramid:.0f}x)")
        print(f"  pyramid, a tenth of the steps: {part:.2f}")
        print(f"  list of series: {median_ms(lambda: store.series('r')):.2f}")
        print(f"  whole check: {median_ms(store.check):.0f}")
        plain.close()
        store.close()


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--points", type=int, default=1_000_000)
    options = parser.parse_args()
    asyncio.run(lag(options.seconds))
    query(options.points)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
