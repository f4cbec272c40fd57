"""How quick and how small the agent is.

Printed are (a) the time from a client's first request, with no agent running, to its answer, (b)
the agent's resident memory with 50 finished runs, and (c) for a run that writes 10,000 metric
points a second: how late the event loop is meanwhile, and how late the points are stored.

    python tests/benchmarks/bench_agent.py [--starts 7] [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from luthier.agent.client import Client
from luthier.agent.daemon import Agent, open_store
from luthier.agent.paths import Home
from luthier.agent.settings import load_settings
from luthier.agent.starting import agent_answers
from luthier.agent.states import RunState

_WORKER = Path(__file__).parents[1] / "agent" / "worker.py"
_RUNS = 50
_POINTS_A_SECOND = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--serve-with-meter", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_with_meter:
        serve_with_meter(Home(Path(arguments.serve_with_meter)))
        return
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as folder:
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        measure_starts(Path(folder), arguments.starts)
        measure_memory(Path(folder))
        for values in (10, 1):
            measure_ingestion(Path(folder), arguments.seconds, values)


def make_home(folder: Path, name: str) -> Home:
    """A home whose runs are done by the tests' stand-in worker."""
    home = Home(folder / name)
    home.create()
    home.settings.write_text(yaml.safe_dump({"worker_command": [sys.executable, str(_WORKER)]}))
    return home


def make_spec(folder: Path, **behaviour: object) -> dict[str, object]:
    """A spec for that worker."""
    data = folder / f"behaviour-{time.monotonic_ns()}.json"
    data.write_text(json.dumps(behaviour))
    return {
        "task": "llm-sft",
        "model": {"name_or_path": "luthier/none"},
        "data": {"path": str(data)},
    }


def wait_until_ended(client: Client, run_id: str) -> None:
    """Return when the run is finished."""
    while not client.run(run_id).state.finished:
        time.sleep(0.05)


def end(home: Home) -> None:
    """End the home's agent."""
    with Client(home, start=False) as client:
        process = psutil.Process(client.status().pid)
        client.shutdown()
    process.wait(timeout=30)


def measure_starts(folder: Path, count: int) -> None:
    """Time cold starts, and what processor time they take."""
    seconds, work = [], []
    for number in range(count):
        home = make_home(folder, f"start-{number}")
        with Client(home) as client:
            began = time.perf_counter()
            pid = client.status().pid
            seconds.append(time.perf_counter() - began)
        times = psutil.Process(pid).cpu_times()
        work.append(times.user + times.system)
        end(home)
    print(
        f"cold start to first answer: median {statistics.median(seconds):.2f} s, "
        f"best {min(seconds):.2f} s (processor time {statistics.median(work):.2f} s); limit 1 s"
    )


def measure_memory(folder: Path) -> None:
    """Resident memory with finished runs that were all looked at."""
    home = make_home(folder, "memory")
    with Client(home) as client:
        run = client.submit(make_spec(folder, steps=200, pace=0.001, values_per_line=10))
        wait_until_ended(client, run.id)
        end(home)
        for number in range(1, _RUNS):
            copy = home.runs / f"{run.id}{number}"
            shutil.copytree(home.runs / run.id, copy)
            record = json.loads((copy / "run.json").read_text())
            (copy / "run.json").write_text(json.dumps({**record, "id": copy.name}))
        for found in client.runs():
            while not client.series(found.id):
                time.sleep(0.05)
            client.points(found.id, "loss")
        pid = client.status().pid
        memory = psutil.Process(pid).memory_info().rss / 2**20
    end(home)
    print(f"resident memory with {_RUNS} finished runs: {memory:.0f} MB; limit 150 MB")


def measure_ingestion(folder: Path, seconds: int, values: int) -> None:
    """Lag of the event loop, and of the points, while they come at full rate."""
    home = make_home(folder, f"ingestion-{values}")
    command = [sys.executable, __file__, "--serve-with-meter", str(home.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as agent:
        while not agent_answers(home):
            time.sleep(0.02)
        with Client(home, start=False) as client:
            lines = _POINTS_A_SECOND // values // 100
            spec = make_spec(
                folder,
                steps=seconds * 100,
                pace=0.01,
                metrics_per_step=lines,
                values_per_line=values,
                checkpoint_every=10**6,
            )
            run = client.submit(spec)
            late = _lateness(client, run.id)
            stored = sum(series.points for series in client.series(run.id))
            client.shutdown()
        assert agent.stdout is not None
        loop = json.loads(agent.stdout.read())
    print(
        f"{_POINTS_A_SECOND:,} points/s, {values} a line: {stored:,} points stored; "
        f"event loop late by {loop['median']:.1f} ms (median), {loop['p99']:.1f} ms (p99), "
        f"{loop['worst']:.1f} ms (worst; limit 50 ms); points with a client after "
        f"{statistics.median(late):.2f} s (median), {max(late):.2f} s (worst)"
    )


def _lateness(client: Client, run_id: str) -> list[float]:
    """How old the newest event of each message is when a client has it, in seconds."""
    found: list[float] = []
    for message in client.stream(0):
        if message.type == "events":
            found.append(time.time() - message.data["events"][-1]["t"])
        if message.type == "run" and RunState(message.data["state"]).finished:
            break
    return found


def serve_with_meter(home: Home) -> None:
    """Be the agent, and print at the end how late its event loop was, in milliseconds."""
    os.umask(0o077)
    settings = load_settings(home.settings)
    store, _ = open_store(home)
    late: list[float] = []

    async def meter() -> None:
        while not list(home.runs.glob("*/attempt-1/events.jsonl")):
            await asyncio.sleep(0.01)
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            late.append((time.perf_counter() - due) * 1000)

    async def serve() -> None:
        task = asyncio.create_task(meter())
        await Agent(home, settings, store, rebuilt="").serve()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(serve())
    store.close()
    late.sort()
    figures = {
        "median": statistics.median(late),
        "p99": late[int(len(late) * 0.99)],
        "worst": late[-1],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
