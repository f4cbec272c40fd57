"""A worker without torch: speaks the protocol of a real one and behaves as its run is named.

    python tiny_worker.py [RESULT] RUN_FOLDER ATTEMPT

short      trains 20 steps and ends well
endless    goes on until it is asked to stop, then leaves with a checkpoint
failing    tells an error after three steps
dying      ends by a signal without a word

With RESULT, a folder, it trains 20 steps, waits for RESULT/go, and has made RESULT/adapter.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import yaml

from luthier.trainers import events
from luthier.trainers.run_folder import RunFolder

STEPS = 20


def main(folder: str, number: str, result: Path | None = None) -> int:
    """Behave; returns the exit code."""
    run = RunFolder(Path(folder))
    attempt = run.attempt(int(number))
    name = yaml.safe_load(run.spec.read_text())["name"]
    writer = events.EventWriter(attempt.events)
    print(f"tiny worker: {name}, attempt {number}", flush=True)
    begin(writer)
    step = 0
    while step < STEPS or name == "endless":
        step += 1
        report(writer, step, 0 if name == "endless" else STEPS)
        if attempt.stop_request.exists():
            checkpoint(run, writer, step)
            writer.write(events.DoneEvent(stopped=True, step=step))
            return 0
        if name == "failing" and step == 3:
            error = events.ErrorEvent(type="ValueError", message="The row is bad", hint="Mend it.")
            writer.write(error)
            return 1
        if name == "dying" and step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "endless":
            time.sleep(0.02)
    while result is not None and not (result / "go").exists():
        time.sleep(0.02)
    end(run, writer, step, result)
    return 0


def begin(writer: events.EventWriter) -> None:
    """What comes before the first step."""
    writer.write(events.PhaseEvent(name="loading", detail="tiny"))
    writer.write(events.WarningEvent(message="row 3 is empty", where="train.jsonl"))
    placement = events.PlacementEvent(
        devices=["cpu"], dtypes={"float32": 100}, precision="no", strategy="single",
        world_size=1, trainable_parameters=100, total_parameters=1000,
    )  # fmt: skip
    writer.write(placement)
    writer.write(events.PhaseEvent(name="training"))


def report(writer: events.EventWriter, step: int, total: int) -> None:
    """One step."""
    print(f"step {step}", flush=True)
    writer.write(events.MetricsEvent(step=step, values={"loss": 2.0 / step, "grad_norm": None}))
    writer.write(events.ProgressEvent(step=step, total=total, epoch=step / STEPS))


def checkpoint(run: RunFolder, writer: events.EventWriter, step: int) -> None:
    """A checkpoint that counts as complete."""
    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
    writer.write(events.CheckpointEvent(step=step, path=str(folder.relative_to(run.path))))


def end(run: RunFolder, writer: events.EventWriter, step: int, result: Path | None) -> None:
    """What comes after the last step."""
    writer.write(events.EvaluationEvent(step=step, values={"eval_loss": 0.25}))
    writer.write(events.SampleEvent(step=step, prompt="May 1 1900", text="1900-05-01"))
    checkpoint(run, writer, step)
    if result is None:
        run.adapter.mkdir(parents=True)
        (run.adapter / "adapter_config.json").write_text("{}")
    else:
        shutil.copytree(result / "adapter", run.adapter)
    artifact = str(run.adapter.relative_to(run.path))
    writer.write(events.DoneEvent(step=step, artifact=artifact, metrics={"eval_loss": 0.25}))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[-2:], *map(Path, sys.argv[1:-2])))
