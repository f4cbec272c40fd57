"""Estimates of memory and time, and settings that fit."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .base import StrictModel
from .runs import SubmitRequest


class DeviceWish(StrictModel):
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


class MemoryPart(StrictModel):
    """One item of an estimate."""

    key: str
    title: str
    bytes: int
    why: str


class MemoryEstimate(StrictModel):
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


class EstimateDevice(StrictModel):
    """The devices that an estimate is for; ``free`` is that of the fullest."""

    host: str
    kind: Literal["cpu", "cuda", "qaic"]
    name: str
    total: int
    free: int
    count: int


class RowFacts(StrictModel):
    """Lengths of the training rows in tokens."""

    rows: int
    mean: float
    longest: int


class DurationEstimate(StrictModel):
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


class FitAlternative(StrictModel):
    """One change that a person may make."""

    title: str
    settings: dict[str, dict[str, Any]]
    high: int = Field(description="Upper end of the estimate with it, in bytes.")
    fits: bool
    faster: float = Field(description="The pace with it by that without, by rule of thumb.")


class EstimateReply(StrictModel):
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


class FitStep(StrictModel):
    """One change that Auto makes."""

    key: str
    before: Any
    after: Any
    why: str
    sentence: str


class FitSuggestion(StrictModel):
    """A way out when nothing fits."""

    kind: Literal["method", "model", "host", "memory"]
    sentence: str
    settings: dict[str, dict[str, Any]]


class FitReply(StrictModel):
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
