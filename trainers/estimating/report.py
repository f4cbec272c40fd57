"""What an exact estimate says, and how to ask for one. Torch-free."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import LuthierError

DeviceKind = Literal["cuda", "cpu", "qaic"]


class Moment(BaseModel):
    """When a step needs the most memory.

    Attributes:
        phase: forward, backward or optimizer.
        operation: what allocated last, under torch's name, such as aten.mm.default.
        module: the module at work, such as model.layers.31.mlp; empty outside of any.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    phase: str
    operation: str
    module: str


class ExactEstimate(BaseModel):
    """The tensors of one training step, counted one by one. Sizes are in bytes.

    Attributes:
        peak: all tensors at the worst moment of a step; without what the device's runtime takes
            for itself and what its allocator loses between tensors.
        parts: what the peak consists of: weights, adapter, gradients, optimizer, activations
            (kept for the backward pass), temporary (everything else), and sharing (the buckets in
            which several processes exchange gradients).
        resident: what stays between two steps.
        rows: rows of the batch.
        length: tokens of each row; 0 where rows are pictures alone.
        pixels: width and height of the rows' pictures as the model sees them.
        seconds: how long the estimate took.
        notes: what differs from a run on the device, in sentences.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    task: str
    model: str
    method: str
    device: DeviceKind
    precision: str
    rows: int
    length: int
    pixels: tuple[int, int] | None = None
    peak: int
    parts: dict[str, int]
    at: Moment
    resident: int
    parameters: int
    trainable: int
    seconds: float
    notes: list[str] = Field(default=[])

    @property
    def batch(self) -> str:
        """What one pass is over, in words."""
        tokens = f"{self.rows} x {self.length:,} tokens" if self.length else ""
        if self.pixels is None:
            return tokens
        size = f"{self.pixels[0]} x {self.pixels[1]} pixels"
        return f"{tokens}, pictures of {size} among them" if tokens else f"{self.rows} x {size}"


class Refusal(BaseModel):
    """Why there is no estimate."""

    error: str
    hint: str = ""


def command(
    spec: Path,
    *,
    device: DeviceKind = "cuda",
    precision: str | None = None,
    rows: int | None = None,
    length: int | None = None,
    overrides: Sequence[str] = (),
) -> list[str]:
    """The worker's command line, for this interpreter.

    Args:
        spec: the spec file.
        device: where the run is to be.
        precision: no, fp16 or bf16; silent: the spec's, or what such devices usually have.
        rows: of the batch; silent: the spec's.
        length: tokens of the longest row; silent: the longest that the spec allows.
        overrides: ``section.key=value`` settings that win over the file's.
    """
    arguments = [sys.executable, "-m", f"{__package__}", str(spec), "--json", "--device", device]
    for name, value in (("--precision", precision), ("--rows", rows), ("--length", length)):
        if value is not None:
            arguments += [name, str(value)]
    for override in overrides:
        arguments += ["--set", override]
    return arguments


def read_reply(output: bytes) -> ExactEstimate:
    """The estimate in what the worker wrote to its standard output.

    Raises:
        LuthierError: it has none; says why.
    """
    line = (output.strip().splitlines() or [b""])[-1]
    try:
        return ExactEstimate.model_validate_json(line)
    except ValidationError:
        pass
    try:
        refusal = Refusal.model_validate_json(line)
    except ValidationError:
        raise LuthierError("The exact estimate ended without a result.") from None
    raise LuthierError(refusal.error, hint=refusal.hint)
