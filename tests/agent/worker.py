"""A worker without torch: it speaks the whole worker protocol and does what its data file says.

Called like the real one: ``python worker.py RUN_FOLDER ATTEMPT``. The run's data.path names a JSON
file; its keys are the attributes of Behaviour. The loss of a step is 1 / step, whoever computes it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Behaviour:
    """What the worker does.

    steps: how many there are, unless the spec's training.max_steps says so.
    pace: seconds a step takes.
    metrics_per_step: how many metrics lines each step writes, under names of their own.
    values_per_line: how many values each of those lines has.
    checkpoint_every: steps between checkpoints.
    hold: {step: file}: after that step wait until the file exists.
    crash: {step: what}, what is an exit code, a signal's name, "error" or "out of memory".
    deaf: the stop file is not looked at.
    stubborn: SIGTERM is ignored.
    child: a child in a session of its own is started, which outlives its parent.
    restart_once: ask to be started again at this step, once.
    fill: after that step the disk is filled.
    memory: bytes that training is said to have taken.
    weights: how many random bytes of weights the result has.
    """

    steps: int = 10
    pace: float = 0.01
    metrics_per_step: int = 1
    values_per_line: int = 1
    checkpoint_every: int = 5
    hold: dict[str, str] = field(default_factory=dict)
    crash: dict[str, Any] = field(default_factory=dict)
    deaf: bool = False
    stubborn: bool = False
    child: bool = False
    restart_once: int = 0
    fill: int = 0
    memory: int = 0
    weights: int = 0


class Worker:
    def __init__(self, folder: Path, attempt: int) -> None:
        self.folder = folder
        self.attempt = folder / f"attempt-{attempt}"
        self.spec = yaml.safe_load((folder / "spec.yaml").read_text())
        self.does = Behaviour(**json.loads(Path(self.spec["data"]["path"]).read_text()))
        maximum = self.spec["training"]["max_steps"]
        self.total = maximum if maximum > 0 else self.does.steps
        self.events = (self.attempt / "events.jsonl").open("ab", buffering=0)

    def say(self, kind: str, **values: Any) -> None:
        line = json.dumps({"t": time.time(), "kind": kind, **values}).encode() + b"\n"
        # In two pieces, so that a kill of whoever reads finds torn lines too.
        self.events.write(line[:20])
        self.events.write(line[20:])

    def run(self) -> int:
        if self.does.stubborn:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.does.child:
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self.say("phase", name="training")
        step = self.resumed_at()
        began = time.monotonic() - step * self.does.pace
        while step < self.total:
            step += 1
            time.sleep(max(0.0, began + step * self.does.pace - time.monotonic()))
            self.step(step)
            if step % self.does.checkpoint_every == 0:
                self.save(step)
            if not self.does.deaf and (self.attempt / "stop").exists():
                self.save(step)
                self.say("done", stopped=True, step=step)
                return 0
            code = self.misfortune(step)
            if code is not None:
                return code
        if self.does.memory:
            self.say(
                "memory",
                source="run",
                step=step,
                device="cpu",
                device_name="a processor",
                peak=self.does.memory,
                allocated=self.does.memory,
            )
        adapter = self.folder / "artifacts" / "adapter"
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / "adapter_config.json").write_text("{}")
        if self.does.weights:
            (adapter / "adapter_model.safetensors").write_bytes(os.urandom(self.does.weights))
        self.say("done", step=step, artifact="artifacts/adapter", metrics={"loss": 1 / step})
        return 0

    def step(self, step: int) -> None:
        print(f"step {step} on {os.environ['LUTHIER_DEVICE']}", flush=True)
        for line in range(self.does.metrics_per_step):
            first = line * self.does.values_per_line
            names = [f"loss{first + index or ''}" for index in range(self.does.values_per_line)]
            self.say("metrics", step=step, epoch=step / 10, values=dict.fromkeys(names, 1 / step))
        self.say("progress", step=step, total=self.total, epoch=step / 10)
        if held := self.does.hold.get(str(step)):
            while not Path(held).exists() and not self.stop_counts():
                time.sleep(0.01)

    def stop_counts(self) -> bool:
        return not self.does.deaf and (self.attempt / "stop").exists()

    def misfortune(self, step: int) -> int | None:
        what = self.does.crash.get(str(step))
        if step == self.does.restart_once and not list(self.attempt.glob("restart-*.json")):
            (self.attempt / "restart.json").write_text(json.dumps({"reason": "smaller batch"}))
            return 3
        if step == self.does.fill:
            self.fill_disk()
        if what is None:
            return None
        if what == "error":
            self.say("error", type="ValueError", message="The rows are wrong", hint="Mend them.")
            return 1
        if isinstance(what, str):
            os.kill(os.getpid(), signal.Signals[what])
        return int(what)

    def fill_disk(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                print("the disk is full", flush=True)

    def resumed_at(self) -> int:
        saved = (self.folder / "artifacts" / "checkpoints").glob("checkpoint-*/trainer_state.json")
        return max((json.loads(path.read_text())["global_step"] for path in saved), default=0)

    def save(self, step: int) -> None:
        folder = self.folder / "artifacts" / "checkpoints" / f"checkpoint-{step}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
        self.say("checkpoint", step=step, path=str(folder.relative_to(self.folder)))


if __name__ == "__main__":
    sys.exit(Worker(Path(sys.argv[1]), int(sys.argv[2])).run())
