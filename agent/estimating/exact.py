"""The exact estimate: a worker that goes through a real step without memory for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from luthier.presets.memory import DeviceFacts, Lengths
from luthier.trainers.estimating.report import ExactEstimate, command, read_reply
from luthier.trainers.spec import GradientSpec
from luthier.trainers.spec.file import dump_spec

from ..models import MemoryEstimate, MemoryPart
from .worker import run_worker

# What the tracker cannot see: how an allocator rounds, and kernels' own workspaces.
_LOW, _HIGH = 0.97, 1.06
_TITLES = {
    "weights": ("Model weights", "The model itself, tensor by tensor."),
    "adapter": ("Adapter", "The added matrices."),
    "gradients": ("Gradients", "One number for each trained one."),
    "optimizer": ("Optimizer", "The optimizer's states after its first step."),
    "activations": ("Activations", "Kept by the forward pass for the backward pass."),
    "temporary": ("Temporary", "Alive only at the moment of the peak."),
    "sharing": ("Sharing", "Buckets in which processes exchange gradients."),
}


async def exact_estimate(
    spec: GradientSpec,
    device: DeviceFacts,
    lengths: Lengths | None,
    quick: MemoryEstimate,
    *,
    offline: bool,
) -> MemoryEstimate:
    """Go through one step of the spec in a worker.

    Args:
        device: what it would run on.
        lengths: of the rows; the longest is taken.
        quick: the quick estimate, whose share for the device's runtime is taken over.

    Raises:
        LuthierError: the worker could not, with its reason.
    """
    longest = None
    limit = getattr(spec.training, "max_length", None)
    if lengths is not None and limit is not None and not getattr(spec.training, "packing", False):
        longest = min(lengths.longest, limit)
    with tempfile.TemporaryDirectory(prefix="luthier-") as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(dump_spec(spec), encoding="utf-8")
        arguments = command(
            path,
            device=device.kind,
            precision=None if device.bf16 or spec.launch.precision != "auto" else "no",
            length=longest,
        )
        ended = await run_worker(arguments, offline=offline)
    return _as_estimate(read_reply(ended.out), quick)


def _as_estimate(found: ExactEstimate, quick: MemoryEstimate) -> MemoryEstimate:
    framework = [part for part in quick.parts if part.key == "framework"]
    parts = [
        MemoryPart(key=key, title=title, bytes=found.parts[key], why=why)
        for key, (title, why) in _TITLES.items()
        if found.parts.get(key)
    ]
    total = found.peak + sum(part.bytes for part in framework)
    place = f" in {found.at.module}" if found.at.module else ""
    return MemoryEstimate(
        parts=[*parts, *framework],
        total=total,
        low=int(total * _LOW),
        high=int(total * _HIGH),
        source="exact",
        basis=f"one step of the real model with {found.batch}, counted in {found.seconds:.0f} s",
        peak=f"{found.at.phase} pass: {found.at.operation}{place}"
        if found.at.phase != "optimizer"
        else f"the optimizer's step: {found.at.operation}",
        uncorrected=total,
        notes=found.notes,
    )
