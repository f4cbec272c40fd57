"""The quick estimate: memory of a run by arithmetic alone, in less than a millisecond.

A step is followed through its moments: the end of the forward pass, the loss, the backward pass at
the last and at the first layer, the optimizer's step. What is live at each is added up; the largest
sum is the peak.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from luthier.trainers.spec import GradientSpec

from .activations import Activations, activations
from .correction import Correction
from .framework import Overhead, overhead
from .head import LossMemory, has_vocabulary_loss, loss_memory
from .result import Estimate, Part
from .sentences import notes_of, parts_of
from .shape import ModelShape
from .sharing import Held, held, spread_over
from .states import optimizer_memory, trained, weight_bytes
from .workload import DeviceFacts, Lengths, Workload


def quick_estimate(
    spec: GradientSpec,
    shape: ModelShape,
    device: DeviceFacts,
    lengths: Lengths | None = None,
    correction: Correction | None = None,
) -> Estimate:
    """The memory that a run takes on each of its devices.

    Args:
        spec: the run.
        shape: of its model, from ``model_shape``.
        device: what it runs on; its free memory plays no part.
        lengths: of the rows; without them every row is as long as the spec allows.
        correction: what finished runs on this device taught.
    """
    return estimate(Workload.of(spec, shape, device, lengths), shape, device, correction)


@dataclass(frozen=True, slots=True)
class Moment:
    """What is live at one moment of a step beside weights and optimizer states, in bytes."""

    name: str
    activations: float
    gradients: float
    loss: float
    temporary: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.activations + self.gradients + self.loss + self.temporary


def estimate(
    work: Workload,
    shape: ModelShape,
    device: DeviceFacts,
    correction: Correction | None = None,
) -> Estimate:
    """The same for a workload, for those who vary one many times."""
    shape = shape if has_vocabulary_loss(work) else shape.without_head()
    found = trained(shape, work)
    optimizer = optimizer_memory(found, work, cuda=device.kind == "cuda")
    share = held(shape, work, found, optimizer)
    head_share = found.head / found.numbers if found.numbers else 0.0
    passing = activations(shape, work, device)
    loss = loss_memory(shape, work, device)
    peak = max(moments(work, share, head_share, passing, loss), key=lambda moment: moment.total)
    reference = weight_bytes(shape, work) if work.reference else 0.0
    if work.zero_stage >= 3:
        reference /= max(1, work.processes)
    reference += work.beside
    pieces = spread_over(work, device)
    extra = overhead(work, device, share.weights)
    parts = parts_of(
        shape, work, share, peak, found, reference=reference, pieces=pieces, extra=extra,
        fused=loss.fused,
    )  # fmt: skip
    found_out = _summed(parts, peak, extra, int(share.host), correction)
    return replace(found_out, notes=notes_of(shape, work, device))


def moments(
    work: Workload, share: Held, head_share: float, passing: Activations, loss: LossMemory
) -> tuple[Moment, ...]:
    """The moments of a step at which the peak may be."""
    every = share.gradients
    # Gradients of earlier passes stay while the next one is made.
    again = work.accumulation > 1 or work.sequences < work.all_sequences
    before = every if again else 0.0
    of_head = max(before, every * head_share)
    layer = passing.layer if work.checkpointing else 0.0
    casts = passing.layer_casts if work.checkpointing else passing.casts
    # Autocast keeps its copies of trained weights until the forward pass is over.
    held_casts = passing.casts if work.method == "none" or not work.checkpointing else casts
    all_kept = passing.kept
    return (
        Moment("the end of the forward pass", all_kept + held_casts, before, loss.forward, 0.0),
        Moment("the loss", all_kept + (0.0 if work.checkpointing else casts), before,
               loss.backward, 0.0),
        Moment("the backward pass of the last layer", all_kept + layer + casts, of_head, 0.0,
               passing.working),
        Moment("the backward pass of the first layer",
               passing.layer + passing.layer_casts + passing.returned, every, 0.0,
               passing.working),
        Moment("the optimizer's step", 0.0, every, 0.0, share.step),
    )  # fmt: skip


def _summed(
    parts: tuple[Part, ...],
    peak: Moment,
    extra: Overhead,
    host: int,
    correction: Correction | None,
) -> Estimate:
    plain = sum(part.bytes for part in parts)
    if correction is None:
        tensors = plain - int(extra.fixed)
        low, high = plain - tensors * (1 - extra.low), plain + tensors * (extra.high - 1)
        return Estimate(
            parts, plain, int(low), int(high), peak=peak.name, host_bytes=host, uncorrected=plain
        )
    # Each part in proportion, so that they add up to the corrected total.
    parts = tuple(replace(part, bytes=round(part.bytes * correction.factor)) for part in parts)
    total = sum(part.bytes for part in parts)
    return Estimate(
        parts, total, int(total * correction.low), int(total * correction.high),
        source="history", basis=correction.basis, peak=peak.name, host_bytes=host,
        uncorrected=plain,
    )  # fmt: skip
