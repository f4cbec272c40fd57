"""What Luthier costs beside the same training written by hand in one TRL script.

Both are run in turn on the demo model, five times each, in one go; printed are the medians of
(a) the time from the command to the end of the first step, with the agent already running, and
(b) the time from the end of the first to the end of the last step, and their ratios.

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
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from luthier.agent.client import Client
from luthier.agent.paths import Home
from luthier.trainers.demo import MODEL, TRAIN
from luthier.trainers.events import MetricsEvent, read_events

HAND_WRITTEN = Path(__file__).with_name("hand_written.py")
LUTHIER = Path(sys.executable).with_name("luthier")


@dataclass(frozen=True)
class Timing:
    """Seconds to the end of the first step, and from there to the end of the last."""

    start: float
    steps: float


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
    return Timing(times["first"] - begun, times["last"] - times["first"])


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
    begun = time.time()
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
    return Timing(times[0] - begun, times[steps - 1] - times[0])


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
                print(f"round {round_number + 1}: by hand {theirs[-1]}, Luthier {ours[-1]}")
            client.shutdown()
    print(f"median of {options.rounds}, {options.steps} steps    by hand   Luthier   ratio")
    for label, name_of in (("command to first step", "start"), ("first to last step", "steps")):
        hand = statistics.median(getattr(timing, name_of) for timing in theirs)
        mine = statistics.median(getattr(timing, name_of) for timing in ours)
        print(f"{label:<24} {hand:8.2f} s {mine:8.2f} s   {mine / hand:.3f}")


if __name__ == "__main__":
    main()
