"""What the agent says about itself, its tasks and its messages."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .base import StrictModel


class ErrorReply(StrictModel):
    """The body of every refusal."""

    error: str = Field(description="One sentence: what is wrong, where, how to mend it.")
    problems: list[str] = Field(default=[], description="Every mistake, when there are several.")


class AgentStatus(StrictModel):
    """The agent itself."""

    version: str
    pid: int
    home: str
    started_at: float
    runs: dict[str, int] = Field(description="How many runs are in each state.")
    sequence: int = Field(description="Number of the newest message of /v1/events.")
    problems: list[str] = Field(description="What is wrong right now, such as a full disk.")
    tcp_port: int | None = Field(default=None, description="Loopback port of the OpenAI API.")


class ColumnInfo(StrictModel):
    """One column of a task's dataset."""

    role: str
    type: str
    example: Any
    required: bool


class TaskInfo(StrictModel):
    """What can be trained."""

    id: str
    family: str
    title: str
    sentence: str
    columns: list[ColumnInfo]
    metrics: list[str] = Field(description="What evaluation reports, the main one first.")
    default_model: str
    chats: bool = Field(description="Whether results can be talked to.")
    inputs: list[str] = Field(default=[], description="Parts that predictions are made from.")
    input_kind: Literal["text", "image", "row"] | None = Field(
        default=None, description="Silent: results do not predict."
    )
    notes: list[str]


class TaskDetail(TaskInfo):
    """A task with its settings."""

    parameters: dict[str, Any] = Field(description="JSON schema of the task's spec.")


class StoredEvent(StrictModel):
    """One worker event of a run with its number within the run, from 1."""

    number: int
    attempt: int
    event: dict[str, Any]


class Message(StrictModel):
    """One message of /v1/events. Sequence numbers have no gaps.

    ``run``: a run changed (data: the Run). ``removed``: a run is gone. ``events``: worker events
    of one run (data: {attempt, number, events}; ``number`` counts the attempt's events before the
    first one here). ``log``: more output (data: {attempt, size}). ``hardware``: a sample (data:
    HardwareSample). ``reset``: what was asked for is no longer kept; read everything anew and go
    on from this number.
    """

    sequence: int
    t: float
    type: Literal["run", "removed", "events", "log", "hardware", "reset"]
    run_id: str | None = None
    data: dict[str, Any] = {}
