"""What the platform takes beside the tensors, and how sure the arithmetic is on it."""

from __future__ import annotations

from dataclasses import dataclass

from .workload import DeviceFacts, Workload

MIB = 1024**2
_HOLES, _MOST_HOLES = 0.8, 1024.0 * MIB


@dataclass(frozen=True, slots=True)
class Overhead:
    """What a platform adds.

    Attributes:
        fixed: bytes that any run takes.
        share: of the short-lived tensors, lost between blocks of the allocator.
        low: lower end of the interval as a share of the tensors.
        high: its upper end.
        why: one plain sentence.
    """

    fixed: float
    share: float
    low: float
    high: float
    why: str


def overhead(work: Workload, device: DeviceFacts, weights: float = 0.0) -> Overhead:
    """What this run's platform adds to its tensors, of which ``weights`` bytes are the model's."""
    if device.kind == "cpu":
        return _host(work, weights)
    if device.kind == "qaic":
        return Overhead(
            1024 * MIB, 0.08, 0.85, 1.2,
            "A guess: nobody has measured training on this card for us yet.",
        )  # fmt: skip
    fixed = 520.0
    if work.quantisation != "none" or "8bit" in work.optimizer or "paged" in work.optimizer:
        fixed += 60
    if work.processes > 1:
        fixed += 350
    return Overhead(
        fixed * MIB, 0.05, 0.92, 1.1,
        "CUDA's context and libraries, and gaps between the allocator's blocks.",
    )  # fmt: skip


def _host(work: Workload, weights: float) -> Overhead:
    why = "Python with torch and the libraries loaded, and what its allocator keeps."
    fixed = (700.0 if work.method == "none" else 780.0) * MIB
    if not work.checkpointing:
        return Overhead(fixed, 0.08, 0.85, 1.12, why)
    # Layers that are recomputed leave holes in the host's heap, which it does not give back: fitted
    # to four runs of 45 and 135 million parameters, which took 0.2 to 1.4 GiB more than tensors.
    holes = min(_HOLES * weights, _MOST_HOLES)
    return Overhead(fixed + holes, 0.2, 0.75, 1.25, why)
