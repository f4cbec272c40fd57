"""A worker without torch whose run is worth looking at: curves, evaluations, samples, a loud log.

Called like the real one: ``python curve_worker.py RUN_FOLDER ATTEMPT``. The run's data.path names a
JSON file whose keys are the attributes of Behaviour.
"""

from __future__ import annotations

import json
import math
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Behaviour:
    """What the worker does.

    steps: how many there are.
    pace: seconds a step takes.
    evaluate_every: steps between evaluations, each with three samples.
    spike: {step: loss}: values that stand out.
    hold: {step: file}: after that step wait until the file exists, or a stop is asked for.
    fail: {step: error message}; the hint is ``hint``.
    lines: lines written to the log at the start.
    level: the loss ends there.
    reports: of each evaluation, without their steps.
    """

    steps: int = 100
    pace: float = 0.0
    evaluate_every: int = 20
    spike: dict[str, float] = field(default_factory=dict)
    hold: dict[str, str] = field(default_factory=dict)
    fail: dict[str, str] = field(default_factory=dict)
    hint: str = ""
    lines: int = 0
    level: float = 0.5
    reports: list[dict[str, Any]] = field(default_factory=list)


class Worker:
    def __init__(self, folder: Path, attempt: int) -> None:
        self.folder = folder
        self.attempt = folder / f"attempt-{attempt}"
        spec = yaml.safe_load((folder / "spec.yaml").read_text())
        self.does = Behaviour(**json.loads(Path(spec["data"]["path"]).read_text()))
        self.events = (self.attempt / "events.jsonl").open("ab", buffering=0)
        self.random = random.Random(7)

    def say(self, kind: str, **values: Any) -> None:
        line = json.dumps({"t": time.time(), "kind": kind, **values}).encode() + b"\n"
        self.events.write(line)

    def run(self) -> int:
        self.say("phase", name="loading", detail="a model")
        for number in range(self.does.lines):
            print(f"line {number}: " + ("ERROR: it broke" if number % 1000 == 999 else "all well"))
        print("\x1b[31mred\x1b[0m\x07 and \x1b]0;title\x07plain\tand\ttabs")
        print("".join(f"\r{done:3}%|{'#' * (done // 10)}" for done in range(0, 101, 5)), flush=True)
        self.say(
            "placement", devices=["cpu"], dtypes={"float32": 10}, precision="no",
            strategy="single", world_size=1, trainable_parameters=10, total_parameters=1000,
        )  # fmt: skip
        self.say("phase", name="training")
        self.say("warning", message="A row was cut.", where="data/train.jsonl:7")
        for step in range(1, self.does.steps + 1):
            if (ended := self.step(step)) is not None:
                return ended
        adapter = self.folder / "artifacts" / "adapter"
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / "adapter_config.json").write_text('{"r": 16}')
        self.say("done", step=self.does.steps, artifact="artifacts/adapter")
        return 0

    def step(self, step: int) -> int | None:
        time.sleep(self.does.pace)
        total, epoch = self.does.steps, step / self.does.steps * 2
        loss = self.does.level + 3 * math.exp(-4 * step / total) + self.random.gauss(0, 0.1)
        values = {
            "loss": self.does.spike.get(str(step), loss),
            "learning_rate": 2e-4 * (1 - step / total),
            "grad_norm": 1 + self.random.random(),
            "tokens_per_second": 1000 + self.random.random() * 50,
        }
        self.say("metrics", step=step, epoch=epoch, values=values)
        left = (total - step) * self.does.pace
        self.say("progress", step=step, total=total, epoch=epoch, seconds_left=left)
        print(f"step {step} loss {loss:.4f}", flush=True)
        if step % self.does.evaluate_every == 0:
            self.evaluate(step, epoch, loss)
        if message := self.does.fail.get(str(step)):
            self.say("error", type="OutOfMemoryError", message=message, hint=self.does.hint)
            return 1
        held = self.does.hold.get(str(step))
        while held and not Path(held).exists():
            if (self.attempt / "stop").exists():
                break
            time.sleep(0.01)
        if (self.attempt / "stop").exists():
            self.say("done", stopped=True, step=step)
            return 0
        return None

    def evaluate(self, step: int, epoch: float, loss: float) -> None:
        values = {"eval_loss": loss + 0.1, "eval_runtime": 0.1}
        self.say("evaluation", step=step, epoch=epoch, values=values)
        for number, word in enumerate(("good morning", "thank you", "see you soon")):
            text = ("bonjour", "merci", "à bientôt")[number]
            known = text[: 1 + len(text) * step // self.does.steps]
            self.say("sample", step=step, prompt=f"Translate: {word}", text=known, expected=text)
        for report in self.does.reports:
            self.say("report", step=step, **report)
        folder = self.folder / "artifacts" / "checkpoints" / f"checkpoint-{step}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
        self.say("checkpoint", step=step, path=str(folder.relative_to(self.folder)), best=True)


if __name__ == "__main__":
    sys.exit(Worker(Path(sys.argv[1]), int(sys.argv[2])).run())
