"""One attempt's work as a task's training function gets it. Torch-free."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Generic

from pydantic import BaseModel
from typing_extensions import TypeVar

from ..events import ErrorEvent, Event, EventWriter, PhaseEvent, WarningEvent, read_events
from ..run_folder import AttemptFolder, RunFolder
from ..spec import GradientSpec, RunSpec
from .stopping import StopWatch

S = TypeVar("S", bound=RunSpec, default=GradientSpec, covariant=True)


class Adjustments(BaseModel):
    """Settings that earlier out-of-memory retries left behind."""

    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    retries: int


def process_index() -> int:
    """This process's rank among those of the run."""
    return int(os.environ.get("RANK", "0"))


class Reporter:
    """Writes events. Only the first process of a run does, except about memory and failures."""

    def __init__(self, attempt: AttemptFolder) -> None:
        self.attempt = attempt
        self._path = attempt.events
        self._seen = len(read_events(self._path))
        self._writer = EventWriter(self._path)
        self.main = process_index() == 0

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def emit(self, event: Event) -> None:
        """Append one event, in the first process only."""
        if self.main:
            self._writer.write(event)

    def phase(self, name: str, detail: str = "") -> None:
        """Say which phase begins."""
        self.emit(PhaseEvent(name=name, detail=detail))

    def warn(self, message: str, where: str = "") -> None:
        """Say something that does not end the run."""
        self.emit(WarningEvent(message=message, where=where))

    def emit_from_any(self, event: Event) -> None:
        """Append one event from whichever process knows it."""
        self._writer.write(event)

    def fail(self, error: ErrorEvent) -> None:
        """Say why the run ends, unless another process has.

        When one process fails, the others fail too: with the same error at the same moment, or
        with one that says nothing of the cause.
        """
        with self._path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not self.failed_already():
                self._writer.write(error)

    def failed_already(self) -> bool:
        """Whether a process has said why the run ends since this one began."""
        events = read_events(self._path)[self._seen :]
        return any(isinstance(event, ErrorEvent) for event in events)


@dataclass
class Job(Generic[S]):
    """What a training function works with.

    Attributes:
        spec: the run's spec, with the batch that the memory ladder has settled on.
        adjustments: what the memory ladder has changed so far.
        resume_from: the checkpoint to go on from.
        fingerprint: of the dataset.
        chat: whether its rows are chats.
    """

    spec: S
    run: RunFolder
    attempt: AttemptFolder
    reporter: Reporter
    stop: StopWatch
    adjustments: Adjustments | None = None
    resume_from: Path | None = None
    fingerprint: str = ""
    chat: bool = False


@dataclass
class Result:
    """What came out. ``artifact`` is relative to the run folder."""

    step: int
    stopped: bool = False
    artifact: str | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
