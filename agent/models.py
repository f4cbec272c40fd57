"""What the agent says over its API. Client, command line and terminal UI share these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    inputs: list[str] = Field(default=[], description="Parts that predictions are made from.")
    input_kind: Literal["text", "image", "row"] | None = Field(
        default=None, description="Silent: results do not predict."
    )
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
    others: list[str] = Field(
        default=[], description="Processes of other users on it, such as: anna (pid 12, 300 MiB)."
    )
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


class HostInfo(_Model):
    """A host that runs can execute on."""

    name: str
    target: str = Field(description="user@address:port, or a name in ~/.ssh/config; empty: here.")
    folder: str = Field(description="Where everything of ours lies there.")
    python: str = Field(default="", description="The Python that trains; empty before set-up.")
    offline: bool = Field(default=False, description="It has no way to the hub.")
    connected: bool = False
    unreachable_since: float | None = None
    trouble: str = Field(default="", description="Why it cannot be reached or used.")
    runs: int = Field(default=0, description="Active runs on it.")


class HostRequest(_Model):
    """A host to be added; adding it again changes it."""

    target: str = Field(description="user@address:port, or a name in ~/.ssh/config.")
    folder: str | None = Field(default=None, description="Silent: ~/.luthier.")
    offline: bool | None = Field(default=None, description="The host has no way to the hub.")
    cpu_slots: int | None = Field(default=None, ge=1, description="Runs on its CPU at once.")


class HostAnswers(_Model):
    """What a person has decided or typed; kept in memory only."""

    accept: list[str] = Field(default=[], description="Fingerprints of host keys to trust.")
    secrets: dict[Literal["passphrase", "password"], dict[str, str]] = Field(
        default={}, description="Secrets by what they are for.", repr=False
    )
    agent_socket: str | None = Field(default=None, description="The ssh-agent to ask.")


class HostNeed(_Model):
    """What a person must decide or type before a host can be used."""

    kind: Literal["host_key", "passphrase", "password"]
    what: str = Field(description="The host, key file or account that it is for.")
    message: str
    fingerprint: str = ""


class HostConnection(_Model):
    """How an attempt to connect went: connected, or what is needed first."""

    host: HostInfo
    need: HostNeed | None = None


class HostCheck(_Model):
    """One line of a host's preflight."""

    name: str
    level: Literal["green", "yellow", "red"]
    found: str
    remedy: str = ""


class SetupRequest(_Model):
    """How a host gets a Python that can train."""

    python: str | None = Field(
        default=None, description="One that is there; silent: make a virtual environment."
    )
    wheels: str | None = Field(
        default=None, description="Folder of wheels here, for a host without a way out."
    )


class SetupLine(_Model):
    """A line of a set-up as it goes; the last one has ``ended``."""

    text: str = ""
    ended: bool = False
    error: str = ""


class FetchRequest(_Model):
    """Files of a run to bring here from its host."""

    patterns: list[str] = Field(
        default=["artifacts/*"], description="Which, relative to the run folder; * fits anything."
    )


class FetchReply(_Model):
    """What is here now."""

    files: list[str]


class MeasuredRun(_Model):
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


class FileInfo(_Model):
    """A file of a run, path relative to the run folder."""

    path: str
    size: int
    modified: float


class PresetSuits(_Model):
    """What a preset is right for; silent: anything."""

    models: list[str] = Field(default=[], description="Architectures, as model_type says.")
    parameters: tuple[float, float] | None = Field(
        default=None, description="Least and most parameters of the model, in billions."
    )
    devices: list[str] = Field(default=[], description="Kinds of devices.")


class Preset(_Model):
    """A named part of a spec."""

    name: str
    title: str
    task: str
    description: str
    settings: dict[str, Any]
    purpose: str = Field(default="", description="What it is for.")
    trades: str = Field(default="", description="What it gives up for that.")
    sources: str = Field(default="", description="Where its numbers come from.")
    suits: PresetSuits = PresetSuits()
    quirks: list[str] = Field(default=[], description="What one should know about its models.")
    own: bool = Field(default=False, description="The person's own, to be changed and deleted.")


class PresetText(_Model):
    """A preset of one's own as YAML text, comments included."""

    text: str = Field(max_length=1_000_000)


class PresetCopy(_Model):
    """What the copy of a preset is to be called."""

    name: str = Field(description="TASK/NAME, or NAME for the task of the original.")


class PresetProblems(_Model):
    """What is wrong with one's own presets."""

    checked: int = Field(description="How many presets of one's own there are.")
    problems: list[str] = Field(description="A sentence for each file that cannot be used.")


class DeviceWish(_Model):
    """A device to assume instead of the host's own."""

    memory: float | None = Field(default=None, gt=0, le=1e6, description="GiB, all of it free.")
    kind: Literal["cpu", "cuda", "qaic"] | None = None
    name: str = ""
    count: int | None = Field(default=None, ge=1, le=1024)


class EstimateRequest(SubmitRequest):
    """A spec whose memory and time are asked for."""

    host: str | None = Field(default=None, description="Silent: the spec's own.")
    device: DeviceWish = DeviceWish()
    data: Literal["ignore", "known", "measure"] = Field(
        default="known",
        description="Row lengths: none, those of an earlier measurement, or measure them now "
        "(seconds). Without lengths every row is as long as the spec allows.",
    )


class MemoryPart(_Model):
    """One item of an estimate."""

    key: str
    title: str
    bytes: int
    why: str


class MemoryEstimate(_Model):
    """Memory of one device at the worst moment of a run, in bytes."""

    parts: list[MemoryPart]
    total: int
    low: int = Field(description="Lower end of the interval that holds the truth 19 times of 20.")
    high: int = Field(description="Its upper end, which must be free for the run to fit.")
    source: Literal["quick", "exact", "probe", "history"]
    basis: str = Field(description="The source in words.")
    peak: str = Field(description="The moment of the peak in words.")
    host_bytes: int = 0
    uncorrected: int = 0
    notes: list[str] = []


class EstimateDevice(_Model):
    """The devices that an estimate is for; ``free`` is that of the fullest."""

    host: str
    kind: Literal["cpu", "cuda", "qaic"]
    name: str
    total: int
    free: int
    count: int


class RowFacts(_Model):
    """Lengths of the training rows in tokens."""

    rows: int
    mean: float
    longest: int


class DurationEstimate(_Model):
    """How long a run takes."""

    tokens_per_epoch: int
    steps: int
    seconds_per_step: float
    seconds: float
    source: Literal["probe", "history", "guess"]
    basis: str
    energy_joules: float | None = None
    cost: float | None = None
    currency: str = ""


class FitAlternative(_Model):
    """One change that a person may make."""

    title: str
    settings: dict[str, dict[str, Any]]
    high: int = Field(description="Upper end of the estimate with it, in bytes.")
    fits: bool
    faster: float = Field(description="The pace with it by that without, by rule of thumb.")


class EstimateReply(_Model):
    """What a spec takes, and whether it fits."""

    model: str
    parameters: int
    estimate: MemoryEstimate
    device: EstimateDevice
    fits: bool
    duration: DurationEstimate | None = None
    rows: RowFacts | None = None
    alternatives: list[FitAlternative] = []
    notes: list[str] = []


class FitRequest(EstimateRequest):
    """A spec for which Auto chooses what fits."""

    keep: list[str] = Field(default=[], description="Settings that must stay, section.key.")


class FitStep(_Model):
    """One change that Auto makes."""

    key: str
    before: Any
    after: Any
    why: str
    sentence: str


class FitSuggestion(_Model):
    """A way out when nothing fits."""

    kind: Literal["method", "model", "host", "memory"]
    sentence: str
    settings: dict[str, dict[str, Any]]


class FitReply(_Model):
    """What Auto chose; when nothing fits, what takes the least."""

    fits: bool
    steps: list[FitStep]
    held: str = Field(description="What was not touched.")
    settings: dict[str, dict[str, Any]] = Field(description="What differs from the given spec.")
    spec: dict[str, Any]
    yaml: str
    model: str
    parameters: int
    before: MemoryEstimate
    estimate: MemoryEstimate
    device: EstimateDevice
    missing: int = Field(description="Bytes lacking on each device; 0 when it fits.")
    faster: float = Field(description="The pace by that of the given spec, by rule of thumb.")
    suggestions: list[FitSuggestion] = []
    rows: RowFacts | None = None
    notes: list[str] = []


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


class PredictRequest(_Model):
    """Predict from ``rows``, or from what ``input`` names; exactly one of the two."""

    input: str | None = Field(
        default=None, description="A text, or the absolute path of a table, picture or folder."
    )
    rows: list[dict[str, Any]] | None = Field(
        default=None, description="Values by part, as the task's inputs name them."
    )

    @model_validator(mode="after")
    def _one_source(self) -> PredictRequest:
        if (self.input is None) == (self.rows is None):
            raise ValueError("give either input or rows")
        return self


class PredictChunk(_Model):
    """A piece of a prediction. The first has ``total``, the last ``finish``, the others a result.

    ``where`` names the input's place in its file.
    """

    total: int | None = None
    index: int | None = None
    where: str = ""
    input: dict[str, Any] = {}
    prediction: dict[str, Any] | None = None
    finish: Literal["done", "cancelled", "error"] | None = None
    error: str = ""
    mistake: bool = Field(default=False, description="The error lies in what was given.")
    seconds: float | None = None


class BatchRequest(_Model):
    """Many conversations answered at once by one voice."""

    conversations: list[list[ChatMessage]] = Field(min_length=1, max_length=10_000)
    voice: str = ""
    sampling: Sampling = Sampling()


class BatchReply(_Model):
    """One answer for each conversation, in order."""

    texts: list[str]
    seconds: float
