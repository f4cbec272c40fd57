"""Events: what a worker tells the world, one JSON object a line in ``events.jsonl``.

Every event has ``t`` (Unix seconds) and ``kind``; the classes below are the kinds. A reader
ignores fields it does not know and passes over a torn last line, so that a killed writer never
makes a log unreadable.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore")

    t: float = Field(default_factory=time.time, description="When, in Unix seconds.")


class PhaseEvent(_Event):
    """The worker enters a phase: preflight, loading, tokenizing, training, saving, ..."""

    kind: Literal["phase"] = "phase"
    name: str
    detail: str = ""


class PlacementEvent(_Event):
    """What the worker really runs on, measured from the loaded model; always its first proof.

    ``dtypes`` maps a dtype to how many parameters have it; ``precision`` is the mixed precision
    in force; ``strategy`` is what accelerate really set up.
    """

    kind: Literal["placement"] = "placement"
    devices: list[str]
    dtypes: dict[str, int]
    precision: str
    strategy: str
    world_size: int
    trainable_parameters: int
    total_parameters: int


class ProgressEvent(_Event):
    """Where the run is. ``seconds_left`` is the worker's own estimate, None while unknown."""

    kind: Literal["progress"] = "progress"
    step: int
    total: int
    epoch: float = 0.0
    seconds_left: float | None = None


class MetricsEvent(_Event):
    """Scalars at an optimizer step; not-a-number and infinities travel as null."""

    kind: Literal["metrics"] = "metrics"
    step: int
    epoch: float = 0.0
    values: dict[str, float | None]


class EvaluationEvent(_Event):
    """One pass over the validation rows: its scalars (names start with ``eval_``)."""

    kind: Literal["evaluation"] = "evaluation"
    step: int
    epoch: float = 0.0
    values: dict[str, float | None]


class SampleEvent(_Event):
    """A text the model wrote at an evaluation, or that it was asked to score.

    ``rewards`` says what the text earned, by the name of the reward.
    """

    kind: Literal["sample"] = "sample"
    step: int
    prompt: str
    text: str
    expected: str | None = None
    rewards: dict[str, float | None] = Field(default_factory=dict)


class ReportEvent(_Event):
    """A finding of an evaluation that is more than a number: a small table, ready to be drawn.

    ``form`` says how to draw it. table: as it stands. matrix: the first column names rows, the
    other cells are counts to shade. bars: the first column names, the second measures. curve: two
    numbers a row. A later report of the same name takes the place of the earlier one.
    """

    kind: Literal["report"] = "report"
    step: int
    name: str
    title: str
    form: Literal["table", "matrix", "bars", "curve"] = "table"
    columns: list[str]
    rows: list[list[str | int | float | None]]
    note: str = ""


class MemoryEvent(_Event):
    """The most memory that training took, measured. Sizes are in bytes.

    ``source`` probe: one forward and backward pass over the longest batch, before step 1; run: all
    steps of the attempt. ``peak`` is everything that the process took on the device: on a GPU what
    torch had reserved and the driver's share, on the CPU the resident memory. ``allocated`` is the
    part for tensors: on the CPU what was added since before the model was loaded. ``seconds`` is
    how long a step of such batches takes, as far as the probe can tell; ``rows`` and ``length``
    (tokens, 0 where there are none) are those of the probed batch.
    """

    kind: Literal["memory"] = "memory"
    source: Literal["probe", "run"]
    step: int = 0
    device: str
    device_name: str
    peak: int
    allocated: int
    seconds: float | None = None
    rows: int = 0
    length: int = 0


class CheckpointEvent(_Event):
    """A checkpoint is complete. ``path`` is relative to the run folder."""

    kind: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str
    best: bool = False


class WarningEvent(_Event):
    """Something a person should know that does not end the run."""

    kind: Literal["warning"] = "warning"
    message: str
    where: str = ""


class ErrorEvent(_Event):
    """Why the worker ends early. ``type`` is the exception class, ``hint`` the likely remedy."""

    kind: Literal["error"] = "error"
    type: str
    message: str
    hint: str = ""


class DoneEvent(_Event):
    """The worker's last word. ``stopped`` when it left because it was asked to."""

    kind: Literal["done"] = "done"
    stopped: bool = False
    step: int = 0
    artifact: str | None = None
    metrics: dict[str, float | None] = Field(default_factory=dict)


Event = Annotated[
    PhaseEvent
    | PlacementEvent
    | ProgressEvent
    | MetricsEvent
    | EvaluationEvent
    | SampleEvent
    | ReportEvent
    | MemoryEvent
    | CheckpointEvent
    | WarningEvent
    | ErrorEvent
    | DoneEvent,
    Field(discriminator="kind"),
]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def finite(values: dict[str, Any]) -> dict[str, float | None]:
    """The numbers among ``values``; not-a-number and infinities become None."""
    return {
        name: float(value) if math.isfinite(value) else None
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


class EventWriter:
    """Appends events to a file, each flushed to the kernel before ``write`` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        if self._file.tell() and not _ends_with_newline(path):
            self._file.write(b"\n")

    def write(self, event: Event) -> None:
        """Append one event. Raises OSError when the disk is full."""
        self._file.write(event.model_dump_json(exclude_none=False).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def parse_event(line: bytes | str) -> Event | None:
    """The event on that line, or None when the line is torn or of an unknown kind."""
    try:
        return _ADAPTER.validate_json(line)
    except (ValidationError, UnicodeDecodeError):
        return None


def read_events(path: Path) -> list[Event]:
    """Every readable event of a file, oldest first; an absent file has none."""
    if not path.exists():
        return []
    return [event for line in path.read_bytes().splitlines() if (event := parse_event(line))]


def event_schema() -> dict[str, Any]:
    """The JSON schema of an event, for the reference pages."""
    return json.loads(json.dumps(_ADAPTER.json_schema()))  # type: ignore[no-any-return]


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
