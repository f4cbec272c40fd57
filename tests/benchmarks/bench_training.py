"""What Luthier costs beside the same training written by hand in one TRL script.

Both are run in turn on the demo model, five times each, in one go; printed are the medians and
the least of (a) the time from the command to the end of the first step, with the agent already
running, (b) the time from the end of the first to the end of the last step, and (c) the processor
time of (b), which other work on the machine hardly touches, with their ratios.

    python tests/benchmarks/bench_training.py [--rounds 5] [--steps 150]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import psutil
import yaml

from luthier.agent.client import Client
from luthier.agent.paths import Home
from luthier.trainers.demo import MODEL, TRAIN
from luthier.trainers.events import MetricsEvent, read_events

HAND_WRITTEN = Path(__file__).with_name("hand_written.py")
LUTHIER = Path(sys.executable).with_name("luthier")


@dataclass(frozen=True)
class Timing:
    """Seconds to the end of the first step, from there to the last, and processor seconds there."""

    start: float
    steps: float
    processor: float

    def __str__(self) -> str:
        return f"{self.start:.2f} s + {self.steps:.2f} s ({self.processor:.2f} s processor)"


class ProcessorTime:
    """Watches how much processor time a process uses, twenty times a second."""

    def __init__(self, find: Callable[[], int | None]) -> None:
        self._find = find
        self._seen: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> ProcessorTime:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> float:
        """Processor seconds used between two moments (Unix seconds)."""
        return self._at(end) - self._at(begin)

    def _at(self, moment: float) -> float:
        """The seconds used until then, on the line between two looks."""
        for (earlier, less), (later, more) in pairwise(self._seen):
            if earlier <= moment <= later:
                return less + (more - less) * (moment - earlier) / (later - earlier)
        sys.exit("The worker was not seen all the time.")

    def _watch(self) -> None:
        process = None
        while not self._ended.wait(0.05):
            with suppress(psutil.NoSuchProcess):
                if process is None and (pid := self._find()):
                    process = psutil.Process(pid)
                if process is not None:
                    used = process.cpu_times()
                    self._seen.append((time.time(), used.user + used.system))


def training_settings(steps: int) -> dict[str, object]:
    """The settings that both take, under the names they share."""
    return {
        "max_steps": steps,
        "per_device_train_batch_size": 32,
        "learning_rate": 3e-3,
        "lr_scheduler_type": "linear",
        "warmup_steps": 10,
        "max_length": 128,
        "logging_steps": 1,
        "save_strategy": "no",
        "dataloader_pin_memory": False,
        "seed": 42,
    }


def time_hand_written(folder: Path, steps: int) -> Timing:
    """Run the plain script in a fresh interpreter."""
    settings = {**training_settings(steps), "eval_strategy": "no"}
    command = [sys.executable, str(HAND_WRITTEN), str(MODEL), str(TRAIN), str(folder)]
    # The same threads as the agent gives its workers.
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    begun = time.time()
    result = subprocess.run(
        [*command, json.dumps(settings)], capture_output=True, text=True, env=environment
    )
    if result.returncode:
        sys.exit(result.stderr)
    times = json.loads(result.stdout.splitlines()[-1])
    return Timing(times["first"] - begun, times["last"] - times["first"], times["processor"])


def time_luthier(folder: Path, home: Home, steps: int) -> Timing:
    """Run the same through the command, the agent, the supervisor and the worker."""
    spec = {
        "task": "llm-sft",
        "model": {"name_or_path": str(MODEL), "dtype": "float32"},
        "data": {"path": str(TRAIN), "validation_fraction": 0.05},
        "training": training_settings(steps),
        "peft": {"method": "lora", "r": 16, "lora_alpha": 32, "lora_dropout": 0.0},
        "evaluation": {"strategy": "no"},
        "launch": {"devices": "cpu", "threads": 2, "precision": "no", "offline": True},
    }
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(spec), encoding="utf-8")
    before = set(home.runs.glob("*"))

    def worker() -> int | None:
        for run in set(home.runs.glob("*")) - before:
            supervisor = run / "attempt-1" / "supervisor.json"
            if supervisor.exists():
                pid: int | None = json.loads(supervisor.read_text(encoding="utf-8"))["worker_pid"]
                return pid
        return None

    begun = time.time()
    with ProcessorTime(worker) as processor:
        result = subprocess.run(
            [LUTHIER, "--home", str(home.path), "run", str(file), "--wait", "--json"],
            capture_output=True,
            text=True,
        )
    if result.returncode:
        sys.exit(result.stdout + result.stderr)
    run_id = json.loads(result.stdout)["id"]
    events = read_events(home.run(run_id).attempt(1).events)
    times = [event.t for event in events if isinstance(event, MetricsEvent) and event.step > 0]
    first, last = times[0], times[steps - 1]
    return Timing(first - begun, last - first, processor.between(first, last))


def main() -> None:
    """Run both in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=150)
    options = parser.parse_args()
    ours: list[Timing] = []
    theirs: list[Timing] = []
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name) / "home")
        with Client(home) as client:
            client.status()
            for round_number in range(options.rounds):
                folder = Path(name) / str(round_number)
                folder.mkdir()
                theirs.append(time_hand_written(folder, options.steps))
                ours.append(time_luthier(folder, home, options.steps))
                print(f"round {round_number + 1}: by hand {theirs[-1]}; Luthier {ours[-1]}")
            client.shutdown()
    print(f"{options.rounds} rounds of {options.steps} steps           by hand    Luthier   ratio")
    for label, value in (
        ("command to first step", attrgetter("start")),
        ("first to last step", attrgetter("steps")),
        ("  processor time", attrgetter("processor")),
    ):
        for statistic in (statistics.median, min):
            hand, mine = (statistic(map(value, timings)) for timings in (theirs, ours))
            name = f"{label}, {'least' if statistic is min else 'median'}"
            print(f"{name:<32} {hand:8.2f} s {mine:8.2f} s   {mine / hand:.3f}")


if __name__ == "__main__":
    main()
