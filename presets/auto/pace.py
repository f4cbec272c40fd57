"""How long a step takes, by rule of thumb: good enough to say which of two choices is faster."""

from __future__ import annotations

from ..memory import DeviceFacts, Lengths, ModelShape, Workload
from ..memory.duration import guess_step_seconds
from ..memory.states import weight_bytes

# Bytes a second between devices where it is not known: what PCI Express 3 with 16 lanes reaches.
_LINK = 12e9


def step_seconds(
    work: Workload, shape: ModelShape, device: DeviceFacts, lengths: Lengths | None = None
) -> float:
    """Seconds of one optimizer step, with the travel of weights that are split over devices."""
    seconds = guess_step_seconds(work, shape, device, lengths)
    if work.zero_stage < 3 or work.processes < 2:
        return seconds
    # Gathered for each way through the layers, and again for each micro-batch.
    ways = 3 if work.checkpointing else 2
    share = (work.processes - 1) / work.processes
    travel = ways * weight_bytes(shape, work) * share / (device.bandwidth or _LINK)
    return seconds + work.accumulation * travel
