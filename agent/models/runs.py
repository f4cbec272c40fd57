"""Runs, what is asked of them, and what they leave."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..states import RunState
from .base import StrictModel


class Attempt(StrictModel):
    """One execution of a run."""

    number: int
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    stopped_by: Literal["ask", "terminate", "kill"] | None = None
    devices: list[str] = []
    log_bytes: int = 0


class Progress(StrictModel):
    """How far a run is."""

    step: int = 0
    total: int = 0
    epoch: float = 0.0
    seconds_left: float | None = None
    tokens_per_second: float | None = None


class Run(StrictModel):
    """A run as lists and detail views show it."""

    id: str
    name: str
    task: str
    model: str
    host: str
    state: RunState
    created_at: float
    started_at: float | None = Field(default=None, description="Start of the first attempt.")
    ended_at: float | None = None
    phase: str = ""
    progress: Progress = Progress()
    last_metrics: dict[str, float | None] = {}
    reason: str = Field(default="", description="Why it failed, was lost, or waits.")
    unreachable_since: float | None = Field(
        default=None,
        description="Since when its host cannot be reached; the run goes on there. Unix seconds.",
    )
    hint: str = Field(default="", description="What would mend it.")
    warnings: int = 0
    queue_position: int | None = None
    attempts: list[Attempt] = []
    resumable: bool = False
    artifact: str | None = Field(default=None, description="Folder of the result.")
    folder: str = Field(description="The run folder.")


class RunDetail(Run):
    """A run with its spec."""

    spec: dict[str, Any]
    placement: dict[str, Any] | None = Field(
        default=None, description="What the worker proved that it runs on."
    )


class SubmitRequest(StrictModel):
    """A run to be queued."""

    spec: str | dict[str, Any] = Field(description="YAML text, or the same as an object.")
    source: str = Field(default="spec", description="Name of the file, for error texts.")
    overrides: list[str] = Field(default=[], description="section.key=value settings that win.")
    working_directory: str | None = Field(
        default=None, description="Folder that relative paths in the spec start from."
    )


class ValidateReply(StrictModel):
    """A spec that can run, with every setting resolved."""

    spec: dict[str, Any]
    yaml: str


class StopRequest(StrictModel):
    """How to end a run."""

    now: bool = Field(default=False, description="Skip the checkpoint; end the processes.")


class ResumeRequest(StrictModel):
    """How to go on with a finished run."""

    overrides: list[str] = Field(default=[], description="Settings that change, key=value.")


class MoveRequest(StrictModel):
    """Where in the queue a waiting run should stand, 0 first."""

    position: int = Field(ge=0)


class SeriesInfo(StrictModel):
    """One metric of a run."""

    name: str
    points: int
    first_step: int
    last_step: int
    last: float | None
    minimum: float | None
    maximum: float | None


class Series(StrictModel):
    """Points of one metric; down-sampled buckets keep their minimum and maximum.

    ``steps`` has the first step of each bucket; with ``bucket`` 1 the three value lists agree.
    """

    name: str
    bucket: int
    steps: list[int]
    values: list[float | None] = Field(description="Last value of each bucket.")
    minimum: list[float | None]
    maximum: list[float | None]


class FetchRequest(StrictModel):
    """Files of a run to bring here from its host."""

    patterns: list[str] = Field(
        default=["artifacts/*"], description="Which, relative to the run folder; * fits anything."
    )


class FetchReply(StrictModel):
    """What is here now."""

    files: list[str]


class MeasuredRun(StrictModel):
    """What the steps of a finished run took of their device, beside the estimate. In bytes."""

    run_id: str
    host: str
    ended_at: float
    device_kind: Literal["cpu", "cuda", "qaic"]
    device_name: str
    task: str
    method: str = Field(description="peft.method, with -4bit or -8bit for quantised models.")
    model: str
    estimated: int = Field(description="The quick estimate before any correction.")
    measured: int
    rows: int = Field(description="Rows of one forward pass.")
    length: int = Field(description="Tokens of the longest row, 0 where rows are no tokens.")
    seconds: float | None = Field(default=None, description="Of an average step.")
    pace: float | None = Field(
        default=None, description="Tokens a second; none where rows are no tokens."
    )
    checkpointing: bool | None = Field(
        default=None, description="Whether activations were recomputed; none where not known."
    )
    processes: int | None = Field(default=None, description="That trained; none: not known.")


class FileInfo(StrictModel):
    """A file of a run, path relative to the run folder."""

    path: str
    size: int
    modified: float
