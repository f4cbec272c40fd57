"""A home whose runs were laid out beforehand, so that every picture of it is the same.

The agent over it is a real one. The run that goes on has a real supervisor, whose worker says
nothing more. All times lie around NOW, which the tests make the clock of the terminal UI.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from luthier.agent.chat.conversation import Conversation, Turn
from luthier.agent.launching import LaunchPlan, start_attempt
from luthier.agent.models import (
    Attempt,
    Chat,
    Device,
    GenerateChunk,
    HardwareSample,
    HostReport,
)
from luthier.agent.paths import Home
from luthier.agent.runs.record import RunRecord, save_record
from luthier.agent.states import RunState
from luthier.trainers.spec.file import build_spec, dump_spec
from luthier.tui.chatting.history import History, Kept

NOW = 1_781_533_800.0
"""15 June 2026, 14:30 UTC."""

_GIB = 1 << 30
_WAIT = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[2], 'attempt-1', 'stop').exists(): time.sleep(0.2)"  # noqa: E501


@dataclass(frozen=True)
class Laid:
    """One run: what it was told and how far it came."""

    id: str
    name: str
    state: RunState
    minutes: float
    """How long ago it was made."""
    model: str = "Qwen/Qwen3-0.6B"
    task: str = "llm-sft"
    steps: int = 0
    total: int = 500
    level: float = 1.2
    """Where the loss ends."""
    seconds_a_step: float = 1.5
    reason: str = ""
    hint: str = ""
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def began(self) -> float:
        """When its first attempt began."""
        return NOW - 60 * self.minutes + 4

    @property
    def ended(self) -> float | None:
        """When its last attempt ended."""
        return self.began + 20 + self.steps * self.seconds_a_step if self.state.finished else None


RUNNING, BETTER, FAILED, RESULT = (
    "20260615-141200-kwzt", "20260615-115000-ujro", "20260614-184000-dmqe", "20260613-101500-avxn",
)  # fmt: skip

RUNS = (
    Laid("20260615-142600-hbly", "violin-notes-r32", RunState.QUEUED, 4,
         sections={"peft": {"r": 32, "lora_alpha": 64}}),
    Laid(RUNNING, "violin-notes", RunState.RUNNING, 18, steps=310, seconds_a_step=3.2),
    Laid("20260615-120500-pfsi", "support-tone-dora", RunState.SUCCEEDED, 145, steps=500,
         level=0.93, sections={"peft": {"method": "dora", "r": 16}}),
    Laid(BETTER, "support-tone", RunState.SUCCEEDED, 160, steps=500, level=1.04),
    Laid("20260615-093000-yocg", "poems-small", RunState.STOPPED, 300, task="llm-generic",
         model="HuggingFaceTB/SmolLM2-135M", steps=180, total=900, level=2.4),
    Laid(FAILED, "poems", RunState.FAILED, 1190, task="llm-generic", steps=42, total=900,
         model="HuggingFaceTB/SmolLM2-1.7B", level=2.2,
         reason="OutOfMemoryError: CUDA out of memory. Tried to allocate 1.20 GiB.",
         hint="Use a smaller per-device batch, gradient checkpointing, or 4-bit weights."),
    Laid("20260614-081500-nqaw", "glossary", RunState.LOST, 1815, steps=77, total=300, level=1.6,
         reason="The machine restarted while the run was active."),
    Laid(RESULT, "dates", RunState.SUCCEEDED, 3135, steps=178, total=178, level=0.12,
         model="demo/model", seconds_a_step=0.3),
)  # fmt: skip


def events_of(run: Laid) -> Iterator[dict[str, Any]]:
    """What the run's worker wrote."""
    chance, t = random.Random(run.id), run.began + 20
    yield {"t": run.began + 1, "kind": "phase", "name": "loading", "detail": run.model}
    yield {
        "t": run.began + 12, "kind": "placement", "devices": ["cuda:0"], "precision": "bf16",
        "dtypes": {"bfloat16": 596_049_920, "float32": 10_092_544}, "strategy": "single",
        "world_size": 1, "trainable_parameters": 10_092_544, "total_parameters": 606_142_464,
    }  # fmt: skip
    yield {"t": run.began + 18, "kind": "phase", "name": "training"}
    if run.steps:
        yield {"t": t, "kind": "warning", "message": "3 rows are longer than 1024 tokens and cut."}
    for step in range(1, run.steps + 1):
        t, part = t + run.seconds_a_step, step / run.total
        loss = run.level + 2.2 * math.exp(-6 * part) + chance.gauss(0, 0.06)
        rate = 2e-4 * min(1, part / 0.03) * (1 + math.cos(math.pi * part)) / 2
        values = {"loss": loss, "learning_rate": rate, "grad_norm": 0.8 + chance.random() * 0.5}
        values["tokens_per_second"] = 5200 + chance.random() * 300
        epoch = 3 * part
        yield {"t": t, "kind": "metrics", "step": step, "epoch": epoch, "values": values}
        left = (run.total - step) * run.seconds_a_step
        yield {"t": t, "kind": "progress", "step": step, "total": run.total, "epoch": epoch,
               "seconds_left": left}  # fmt: skip
        if step % 50 == 0:
            yield from _evaluation(run, step, epoch, t, loss)
    if run.state is RunState.FAILED:
        kind, _, message = run.reason.partition(": ")
        yield {"t": t + 1, "kind": "error", "type": kind, "message": message, "hint": run.hint}
    elif run.state in (RunState.SUCCEEDED, RunState.STOPPED):
        done = {"t": t + 2, "kind": "done", "step": run.steps}
        done |= {"artifact": "artifacts/adapter", "stopped": run.state is RunState.STOPPED}
        yield done


def _evaluation(
    run: Laid, step: int, epoch: float, t: float, loss: float
) -> Iterator[dict[str, Any]]:
    values = {"eval_loss": loss + 0.05 + 0.1 * step / run.total, "eval_runtime": 2.1}
    yield {"t": t, "kind": "evaluation", "step": step, "epoch": epoch, "values": values}
    answer = "Warm the glue to 60 degrees and clamp for a night."
    known = answer[: max(8, len(answer) * step // run.total)]
    prompt = "How do I glue a loose seam?"
    yield {"t": t, "kind": "sample", "step": step, "prompt": prompt, "text": known,
           "expected": answer}  # fmt: skip
    path = f"artifacts/checkpoints/checkpoint-{step}"
    yield {"t": t + 1, "kind": "checkpoint", "step": step, "path": path, "best": True}


CHAT = Chat(id="chat", model="demo/model", voices=["base", RESULT], state="ready", device="cpu")
"""The chat with RESULT, as the agent tells of it once the model is there."""


def keep_talk(home: Home) -> None:
    """Write a conversation with RESULT into the history."""

    def turn(prompt: str, base: str, adapter: str, expected: str | None = None) -> Turn:
        figures = {
            voice: GenerateChunk(
                finish="stop",
                prompt_tokens=20,
                completion_tokens=tokens,
                first_token_seconds=first,
                tokens_per_second=speed,
            )
            for voice, tokens, first, speed in (("base", 31, 0.12, 61.0), (RESULT, 10, 0.09, 58.0))
        }
        return Turn(prompt, {"base": base, RESULT: adapter}, expected, figures)

    talk = Conversation("Answer with a date.")
    talk.turns.append(
        turn("2 May 1901", "The second of May was a *Thursday*.", "1901-05-02", "1901-05-02")
    )
    long = "There are:\n\n1. `2026-11-21`\n2. `21.11.2026`\n\nThe **first** one sorts well."
    talk.turns.append(turn("How do I write the twenty-first of November 2026?", long, "2026-11-21"))
    History(home).keep(Kept(RESULT, conversation=talk))


def lay(home: Home, data: Path) -> None:
    """Write every run of the stage; the one that goes on is started.

    Args:
        home: where.
        data: the file that their specs name.
    """
    home.create()
    for run in RUNS:
        _lay_run(home, run, data)


def _lay_run(home: Home, run: Laid, data: Path) -> None:
    folder = home.run(run.id)
    attempt = folder.attempt(1)
    attempt.path.mkdir(parents=True)
    values: dict[str, Any] = {"task": run.task, "name": run.name}
    values |= {"model": {"name_or_path": run.model}, "data": {"path": str(data)}, **run.sections}
    folder.spec.write_text(dump_spec(build_spec(values, source="stage")))
    save_record(folder, _record(run))
    if run.state is RunState.QUEUED:
        attempt.path.rmdir()
        return
    lines = [json.dumps(event) for event in events_of(run)]
    attempt.events.write_text("\n".join(lines) + "\n")
    attempt.output.write_text("".join(_log_of(run)))
    samples = [_sample(run, number).model_dump_json() for number in range(60)]
    attempt.hardware.write_text("\n".join(samples) + "\n")
    if run.state in (RunState.SUCCEEDED, RunState.STOPPED):
        folder.adapter.mkdir(parents=True)
        (folder.adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 16}')
        (folder.adapter / "adapter_model.safetensors").write_bytes(b"\0" * 40_400_000)
    if run.state is RunState.RUNNING:
        argv = [sys.executable, "-c", _WAIT, "run", str(folder.path)]
        start_attempt(attempt, LaunchPlan(run.id, 1, argv, str(folder.path), {}))
    else:
        report = {"code": 0, "signal": None, "ended_at": run.ended, "disk_free": 90 * _GIB}
        attempt.exit.write_text(json.dumps(report))


def _record(run: Laid) -> RunRecord:
    queued = run.state is RunState.QUEUED
    attempt = Attempt(number=1, started_at=run.began, ended_at=run.ended, devices=["cuda:0"])
    if run.state is RunState.RUNNING:
        # The machine of the test has no GPU, and the queue needs to know what is taken.
        attempt = attempt.model_copy(update={"devices": ["cpu"]})
    last: dict[str, Any] = {}
    for event in events_of(run):
        if event["kind"] in ("metrics", "evaluation"):
            last |= event["values"]
    made = run.state in (RunState.SUCCEEDED, RunState.STOPPED)
    return RunRecord(
        id=run.id, name=run.name, task=run.task, model=run.model, host="local", state=run.state,
        created_at=NOW - 60 * run.minutes, queue_key=NOW - 60 * run.minutes,
        started_at=None if queued else run.began, ended_at=run.ended,
        phase="training" if run.state.active else "",
        progress=_progress(run), last_metrics=last, reason=run.reason, hint=run.hint,
        warnings=int(run.steps > 0), attempts=[] if queued else [attempt],
        artifact="artifacts/adapter" if made else None,
        folded=sum(1 for _ in events_of(run)),
    )  # fmt: skip


def _progress(run: Laid) -> Any:
    from luthier.agent.models import Progress

    if not run.steps:
        return Progress()
    left = (run.total - run.steps) * run.seconds_a_step
    return Progress(step=run.steps, total=run.total, epoch=3 * run.steps / run.total,
                    seconds_left=left, tokens_per_second=5321.0)  # fmt: skip


def _log_of(run: Laid) -> Iterator[str]:
    yield f"Loading {run.model}\n"
    for step in range(1, run.steps + 1):
        loss = run.level + 2.2 * math.exp(-6 * step / run.total)
        yield f"step {step}/{run.total}  loss {loss:.4f}\n"
    if run.state is RunState.FAILED:
        yield "Traceback (most recent call last):\n"
        yield '  File "trainer.py", line 4021, in training_step\n    loss.backward()\n'
        yield f"torch.{run.reason}\n"


def _sample(run: Laid, number: int) -> HardwareSample:
    chance = random.Random(f"{run.id} {number}")
    busy = 88 + 10 * chance.random()
    t = run.began + 20 + number * max(1, run.steps) * run.seconds_a_step / 60
    gpu = Device(id="cuda:0", kind="cuda", name="NVIDIA RTX 6000 Ada", memory_total=48 * _GIB,
                 memory_used=21 * _GIB, utilisation=busy, temperature=64, power=232,
                 power_limit=300)  # fmt: skip
    cpu = gpu.model_copy(update={"id": "cpu", "kind": "cpu", "name": "CPU", "temperature": None,
                                 "power": None, "power_limit": None})  # fmt: skip
    return HardwareSample(t=t, cpu_percent=busy, memory_used=21 * _GIB, devices=[cpu, gpu])


def report(t: float = NOW) -> HostReport:
    """A machine with two GPUs, one of which a run holds; shown in place of the test's machine."""
    gpu = Device(id="cuda:0", kind="cuda", name="NVIDIA RTX 6000 Ada", memory_total=48 * _GIB,
                 memory_used=int(21.4 * _GIB), utilisation=93, temperature=64, power=232,
                 power_limit=300, runs=[RUNNING])  # fmt: skip
    idle = {"id": "cuda:1", "memory_used": int(0.4 * _GIB), "utilisation": 0.0, "temperature": 38}
    free = gpu.model_copy(update={**idle, "power": 21, "runs": []})
    cpu = Device(id="cpu", kind="cpu", name="AMD EPYC 7343 16-Core Processor",
                 memory_total=256 * _GIB, memory_used=61 * _GIB, utilisation=18)  # fmt: skip
    return HostReport(
        host="local", t=t, system="Linux 6.1", python="3.11.7", cpu_name=cpu.name, cpu_cores=32,
        cpu_percent=18, load=5.72, memory_total=256 * _GIB, memory_available=195 * _GIB,
        disk_total=1800 * _GIB, disk_free=310 * _GIB, devices=[gpu, free, cpu],
    )  # fmt: skip


def settings_text(worker: list[str]) -> str:
    """The agent's settings: one run at a time, and no hardware samples of the test's machine."""
    return yaml.safe_dump({"worker_command": worker, "hardware_interval": 100_000, "cpu_slots": 1})
