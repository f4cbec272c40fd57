"""What the agent says over its API. Client, command line and terminal UI share these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .states import RunState


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class ErrorReply(_Model):
    """The body of every refusal."""

    error: str = Field(description="One sentence: what is wrong, where, how to mend it.")
    problems: list[str] = Field(default=[], description="Every mistake, when there are several.")


class AgentStatus(_Model):
    """The agent itself."""

    version: str
    pid: int
    home: str
    started_at: float
    runs: dict[str, int] = Field(description="How many runs are in each state.")
    sequence: int = Field(description="Number of the newest message of /v1/events.")
    problems: list[str] = Field(description="What is wrong right now, such as a full disk.")
    tcp_port: int | None = Field(default=None, description="Loopback port of the OpenAI API.")


class Attempt(_Model):
    """One execution of a run."""

    number: int
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    stopped_by: Literal["ask", "terminate", "kill"] | None = None
    devices: list[str] = []
    log_bytes: int = 0


class Progress(_Model):
    """How far a run is."""

    step: int = 0
    total: int = 0
    epoch: float = 0.0
    seconds_left: float | None = None
    tokens_per_second: float | None = None


class Run(_Model):
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


class ColumnInfo(_Model):
    """One column of a task's dataset."""

    role: str
    type: str
    example: Any
    required: bool


class TaskInfo(_Model):
    """What can be trained."""

    id: str
    family: str
    title: str
    sentence: str
    columns: list[ColumnInfo]
    metrics: list[str] = Field(description="What evaluation reports, the main one first.")
    default_model: str
    chats: bool = Field(description="Whether results can be talked to.")
    notes: list[str]


class TaskDetail(TaskInfo):
    """A task with its settings."""

    parameters: dict[str, Any] = Field(description="JSON schema of the task's spec.")


class SubmitRequest(_Model):
    """A run to be queued."""

    spec: str | dict[str, Any] = Field(description="YAML text, or the same as an object.")
    source: str = Field(default="spec", description="Name of the file, for error texts.")
    overrides: list[str] = Field(default=[], description="section.key=value settings that win.")
    working_directory: str | None = Field(
        default=None, description="Folder that relative paths in the spec start from."
    )


class ValidateReply(_Model):
    """A spec that can run, with every setting resolved."""

    spec: dict[str, Any]
    yaml: str


class StopRequest(_Model):
    """How to end a run."""

    now: bool = Field(default=False, description="Skip the checkpoint; end the processes.")


class ResumeRequest(_Model):
    """How to go on with a finished run."""

    overrides: list[str] = Field(default=[], description="Settings that change, key=value.")


class MoveRequest(_Model):
    """Where in the queue a waiting run should stand, 0 first."""

    position: int = Field(ge=0)


class SeriesInfo(_Model):
    """One metric of a run."""

    name: str
    points: int
    first_step: int
    last_step: int
    last: float | None
    minimum: float | None
    maximum: float | None


class Series(_Model):
    """Points of one metric; down-sampled buckets keep their minimum and maximum.

    ``steps`` has the first step of each bucket; with ``bucket`` 1 the three value lists agree.
    """

    name: str
    bucket: int
    steps: list[int]
    values: list[float | None] = Field(description="Last value of each bucket.")
    minimum: list[float | None]
    maximum: list[float | None]


class StoredEvent(_Model):
    """One worker event of a run with its number within the run, from 1."""

    number: int
    attempt: int
    event: dict[str, Any]


class Message(_Model):
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


class Device(_Model):
    """One accelerator, or the CPU as a device. None where the hardware does not tell."""

    id: str = Field(description="cpu, cuda:0, qaic:3, ...")
    kind: Literal["cpu", "cuda", "qaic"]
    name: str
    memory_total: int | None = Field(default=None, description="Bytes.")
    memory_used: int | None = Field(default=None, description="Bytes, all processes together.")
    utilisation: float | None = Field(default=None, description="Percent.")
    temperature: float | None = Field(default=None, description="Degrees Celsius.")
    power: float | None = Field(default=None, description="Watts.")
    power_limit: float | None = Field(default=None, description="Watts.")
    ready: bool = True
    detail: dict[str, str | float | int | None] = {}
    runs: list[str] = Field(default=[], description="Runs that hold the device.")
    slots: int = Field(default=1, description="Runs that may hold it at the same time.")


class HostReport(_Model):
    """A host's hardware right now."""

    host: str
    t: float
    system: str
    python: str
    cpu_name: str
    cpu_cores: int
    cpu_percent: float
    load: float
    memory_total: int
    memory_available: int
    disk_total: int
    disk_free: int
    devices: list[Device]
    problems: list[str] = []


class HardwareSample(_Model):
    """What the charts of a run need, once every sampling interval."""

    t: float
    cpu_percent: float
    memory_used: int
    devices: list[Device]


class FileInfo(_Model):
    """A file of a run, path relative to the run folder."""

    path: str
    size: int
    modified: float


class Preset(_Model):
    """A named part of a spec."""

    name: str
    title: str
    task: str
    description: str
    settings: dict[str, Any]


class ChatMessage(_Model):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sampling(_Model):
    """How tokens are chosen. ``setting`` names a ready set; single values win over it."""

    setting: Literal["deterministic", "balanced", "creative"] = "balanced"
    temperature: float | None = Field(default=None, ge=0, le=5)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    max_new_tokens: int = Field(default=256, ge=1, le=32768)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    stop: list[str] = Field(
        default=[], max_length=16, description="The answer ends before the first of these texts."
    )


class OpenChatRequest(_Model):
    """A chat with the results of runs, or with a model alone. Runs must share a base model."""

    runs: list[str] = Field(default=[], description="Runs whose adapters (or models) to load.")
    model: str | None = Field(default=None, description="Base model, when no run is named.")
    offline: bool = False


class Chat(_Model):
    """A loaded chat worker. ``voices`` are the base model and the adapters by run id."""

    id: str
    model: str
    voices: list[str] = Field(description="'base' and the run ids that can answer.")
    state: Literal["loading", "ready", "busy", "failed"]
    error: str = ""
    memory: int | None = Field(default=None, description="Resident bytes of the worker.")
    device: str = ""
    sample_prompts: list[ChatMessage] = []
    idle_seconds: float = 0.0


class GenerateRequest(_Model):
    """Let one voice go on with a conversation."""

    messages: list[ChatMessage] = Field(min_length=1)
    voice: str = Field(default="", description="'base' or a run id; empty: the newest adapter.")
    sampling: Sampling = Sampling()


class GenerateChunk(_Model):
    """A piece of an answer; the last one has ``finish`` and the figures."""

    text: str = ""
    finish: Literal["stop", "length", "cancelled", "error"] | None = None
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None


class BatchRequest(_Model):
    """Many conversations answered at once by one voice."""

    conversations: list[list[ChatMessage]] = Field(min_length=1, max_length=10_000)
    voice: str = ""
    sampling: Sampling = Sampling()


class BatchReply(_Model):
    """One answer for each conversation, in order."""

    texts: list[str]
    seconds: float
