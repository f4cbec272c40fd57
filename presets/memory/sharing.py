"""How several devices share what one would hold alone."""

from __future__ import annotations

from dataclasses import dataclass

from .shape import ModelShape
from .states import OptimizerMemory, Trained, weight_bytes, width
from .workload import DeviceFacts, Workload

_ZERO_BUCKET = 500_000_000
"""Numbers of a reduce bucket, DeepSpeed's default."""


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes on one device.

    Attributes:
        weights: of the base model.
        own: of adapters and modules trained beside it.
        gradients: when all of them are there.
        states: of the optimizer.
        step: short-lived in the optimizer's step.
        extra: buckets, gathered layers, 32-bit masters.
        host: on the host instead.
        how: what the extra is, in words.
    """

    weights: float
    own: float
    gradients: float
    states: float
    step: float
    extra: float = 0.0
    host: float = 0.0
    how: str = ""


def held(shape: ModelShape, work: Workload, found: Trained, optimizer: OptimizerMemory) -> Held:
    """What one device holds under the workload's strategy."""
    base = weight_bytes(shape, work)
    own = 0.0 if work.method == "none" else found.numbers * width(found.dtype)
    gradients = found.numbers * width(found.dtype)
    alone = Held(base, own, gradients, optimizer.states, optimizer.temporary, host=optimizer.host)
    if work.strategy == "ddp" and work.processes > 1:
        return _replicated(alone)
    if work.strategy in ("fsdp", "deepspeed") and work.zero_stage:
        return _sharded(alone, shape, work, found)
    return alone


def spread_over(work: Workload, device: DeviceFacts) -> int:
    """Devices over which ``device_map`` spreads the layers of one copy."""
    return max(1, device.count) if work.spread else 1


def _replicated(alone: Held) -> Held:
    # Buckets hold every gradient a second time; the libraries leave gradient_as_bucket_view off.
    return Held(
        alone.weights, alone.own, alone.gradients, alone.states, alone.step,
        extra=alone.gradients, host=alone.host, how="buckets that gradients are exchanged in",
    )  # fmt: skip


def _sharded(alone: Held, shape: ModelShape, work: Workload, found: Trained) -> Held:
    """Shards of the states; of the gradients from stage 2, of the weights in stage 3."""
    parts = max(1, work.processes)
    mixed = work.precision != "no"
    # Both keep 32-bit weights to update under mixed precision, and states of that type.
    master = found.numbers * 4.0 if mixed and width(found.dtype) < 4 else 0.0
    states = alone.states if width(found.dtype) >= 4 or not mixed else alone.states * 2
    states = alone.states if "8bit" in work.optimizer else states
    weights, own, gradients = alone.weights, alone.own, alone.gradients
    gathered = _gathered(shape, work, weights)
    extra = 0.0
    if work.zero_stage >= 3:
        weights, own, extra = weights / parts, own / parts, gathered
        how = "layers gathered for their turn, and 32-bit copies of what is trained"
    else:
        extra = min(_ZERO_BUCKET, found.numbers) * width(found.dtype)
        how = "the bucket that gradients are reduced in, and 32-bit copies of what is trained"
    if work.zero_stage >= 2:
        gradients = gradients / parts
    shard = (states + master) / parts
    host = alone.host / parts
    if work.offload:
        return Held(weights, own, gradients, 0.0, 0.0, extra, host + shard + gradients, how)
    return Held(
        weights, own, gradients, states / parts, alone.step / parts, extra + master / parts, host,
        how,
    )  # fmt: skip


def _gathered(shape: ModelShape, work: Workload, weights: float) -> float:
    """Two layers, the one at work and the next, and the embedding with the head."""
    outer = shape.embeddings + (0 if shape.tied else shape.head_parameters)
    number = 2.0 if work.precision != "no" else width(work.dtype)
    outside = outer * number
    inner = max(0.0, weights - outer * width(work.dtype))
    return 2 * inner / max(1, shape.layers) + outside
