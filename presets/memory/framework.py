"""What the platform takes beside the tensors, and how sure the arithmetic is on it."""

from __future__ import annotations

from dataclasses import dataclass

from .workload import DeviceFacts, Workload

MIB = 1024**2


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


def overhead(work: Workload, device: DeviceFacts) -> Overhead:
    """What this run's platform adds to its tensors."""
    if device.kind == "cpu":
        # Of recomputed layers the host's allocator keeps more holes than of kept ones.
        return Overhead(
            (700 if work.method == "none" else 780) * MIB,
            0.2 if work.checkpointing else 0.08, 0.85, 1.12,
            "Python with torch and the libraries loaded, and what its allocator keeps.",
        )  # fmt: skip
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
