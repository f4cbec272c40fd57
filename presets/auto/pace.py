"""How long a step takes, by rule of thumb: good enough to say which of two choices is faster.

A pass costs the arithmetic of its tokens, the reading of the weights, and a fixed time for each
layer's kernels (Williams and others' roofline, doi 10.1145/1498765.1498785, with the three added
instead of the larger one taken, since they overlap only in part). So larger micro-batches, kept
activations and unpacked weights are faster, and sharded weights cost their travel.
"""

from __future__ import annotations

from ..memory import DeviceFacts, ModelShape, Workload
from ..memory.states import trained, weight_bytes, width

# Operations and bytes a second that kernels really reach; the proportions of an A100, which those
# of other cards resemble. Both scale all choices alike.
_OPERATIONS = {"cuda": 120e12, "qaic": 40e12, "cpu": 0.5e12}
_BANDWIDTH = {"cuda": 1.2e12, "qaic": 0.1e12, "cpu": 30e9}
_LINK = {"cuda": 12e9, "qaic": 6e9, "cpu": 5e9}
_KERNELS_PER_LAYER = 60
_KERNEL_SECONDS = {"cuda": 5e-6, "qaic": 2e-5, "cpu": 2e-6}


def step_seconds(work: Workload, shape: ModelShape, device: DeviceFacts) -> float:
    """Seconds of one optimizer step."""
    kind = device.kind
    whole = work.method == "none"
    forwards = 2 if work.checkpointing else 1
    # The backward pass differentiates by inputs, and by weights where these are trained.
    passes = forwards + (2 if whole else 1)
    tokens = work.batch * (work.length or shape.tokens or 1)
    attention = 2 * work.length * shape.heads * shape.head_size * shape.layers
    arithmetic = tokens * passes * (2 * shape.active_parameters + attention) / _OPERATIONS[kind]
    stored = weight_bytes(shape, work)
    reading = passes * stored / _BANDWIDTH[kind]
    if work.quantisation != "none":
        # Unpacked to 16 bits: written once and read once, at each use.
        reading += passes * shape.parameters * 4 / _BANDWIDTH[kind]
    launching = passes * shape.layers * _KERNELS_PER_LAYER * _KERNEL_SECONDS[kind]
    one_pass = arithmetic + reading + launching
    link = device.bandwidth or _LINK[kind]
    share = (work.processes - 1) / work.processes
    found = trained(shape, work)
    own = found.numbers * width(found.dtype)
    travel = 2 * own * share / link if work.processes > 1 else 0.0
    if work.zero_stage == 3:
        # Weights are gathered for each way through the layers, and again for each micro-batch.
        one_pass += (forwards + 1) * stored * share / link
    update = 12 * own / _BANDWIDTH[kind] / (work.processes if work.zero_stage else 1)
    if work.optimizer.startswith("paged"):
        update += 2 * own / _LINK[kind]
    return work.accumulation * one_pass + travel + update
