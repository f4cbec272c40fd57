"""Where everything of a run lies. The layout is the same on every host."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class AttemptFolder:
    """One attempt of a run: what its supervisor and worker write."""

    path: Path

    @property
    def number(self) -> int:
        """The attempt's number, from 1."""
        return int(self.path.name.removeprefix("attempt-"))

    @property
    def launch(self) -> Path:
        """What the supervisor is told: argv, environment, deadlines."""
        return self.path / "launch.json"

    @property
    def supervisor(self) -> Path:
        """The supervisor's pid, start time and boot id."""
        return self.path / "supervisor.json"

    @property
    def heartbeat(self) -> Path:
        """Touched by the supervisor every few seconds."""
        return self.path / "heartbeat"

    @property
    def output(self) -> Path:
        """Raw standard output and error of the worker processes, append only."""
        return self.path / "output.log"

    @property
    def events(self) -> Path:
        """Events of rank 0."""
        return self.path / "events.jsonl"

    @property
    def hardware(self) -> Path:
        """Hardware samples taken while the attempt ran, one JSON object a line."""
        return self.path / "hardware.jsonl"

    @property
    def stop_request(self) -> Path:
        """Exists once somebody wants the attempt to end; the worker looks after every step."""
        return self.path / "stop"

    @property
    def restart_request(self) -> Path:
        """Written by a worker that wants to be started again (out of memory: smaller batch)."""
        return self.path / "restart.json"

    @property
    def adjustments(self) -> Path:
        """Settings that the out-of-memory ladder changed; later attempts start from them."""
        return self.path.parent / "adjustments.json"

    @property
    def exit(self) -> Path:
        """How the attempt ended; renamed into place, written last."""
        return self.path / "exit.json"


@dataclass(frozen=True)
class RunFolder:
    """One run: its spec, attempts and artifacts."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    @property
    def spec(self) -> Path:
        """The resolved spec."""
        return self.path / "spec.yaml"

    @property
    def record(self) -> Path:
        """The agent's record of the run (state, times), from which its index is rebuilt."""
        return self.path / "run.json"

    @property
    def provenance(self) -> Path:
        """Package versions, data fingerprint and seed, written by the worker."""
        return self.path / "provenance.json"

    @property
    def preflight(self) -> Path:
        """What the check of the dataset found: rows, warnings, sample prompts."""
        return self.path / "preflight.json"

    @property
    def artifacts(self) -> Path:
        """Everything the run is for."""
        return self.path / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """Folders ``checkpoint-<step>``."""
        return self.artifacts / "checkpoints"

    @property
    def adapter(self) -> Path:
        """The trained adapter with its tokenizer, for peft runs."""
        return self.artifacts / "adapter"

    @property
    def model(self) -> Path:
        """The trained or merged model with its tokenizer."""
        return self.artifacts / "model"

    def attempt(self, number: int) -> AttemptFolder:
        """The folder of an attempt, which need not exist yet."""
        return AttemptFolder(self.path / f"attempt-{number}")

    def attempts(self) -> list[AttemptFolder]:
        """The attempts there are, oldest first."""
        names = [entry for entry in self.path.glob("attempt-*") if entry.is_dir()]
        found = [AttemptFolder(p) for p in names if p.name.removeprefix("attempt-").isdigit()]
        return sorted(found, key=lambda attempt: attempt.number)

    def complete_checkpoints(self) -> list[Path]:
        """The checkpoints that can be resumed from, oldest first.

        The trainer state is written last, so a checkpoint whose state can be read is whole.
        """
        whole = [entry for entry in self.checkpoints.glob("checkpoint-*") if _is_whole(entry)]
        return sorted(whole, key=lambda entry: int(entry.name.split("-")[1]))

    def latest_checkpoint(self) -> Path | None:
        """The complete checkpoint of the highest step."""
        return next(reversed(self.complete_checkpoints()), None)


def _is_whole(checkpoint: Path) -> bool:
    if not checkpoint.name.split("-")[1].isdigit():
        return False
    try:
        json.loads((checkpoint / "trainer_state.json").read_bytes())
    except (OSError, ValueError):
        return False
    return True


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON so that readers see the old file or the new one, never a part."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
