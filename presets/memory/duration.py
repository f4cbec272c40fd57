"""How long a run takes, what energy it uses and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from luthier.trainers.spec import GradientSpec

from .shape import ModelShape
from .speed import SHARE, speed_of
from .states import optimizer_memory, trained, weight_bytes
from .workload import DeviceFacts, Lengths, Workload

_LAYER_SECONDS = 4e-4
"""What starting the operations of one layer takes, forward and backward, however small they are."""
_UNPACKING = 1.3
"""How much longer products with quantised weights take."""

Basis = Literal["probe", "history", "guess"]


@dataclass(frozen=True, slots=True)
class Price:
    """What a host costs.

    Attributes:
        hour: of one device, or of the whole host.
        currency: its short name.
        whole_host: whether the hour is the whole host's.
    """

    hour: float
    currency: str = "USD"
    whole_host: bool = False

    def of(self, seconds: float, devices: int) -> float:
        """What so many devices cost for so long."""
        return self.hour * seconds / 3600 * (1 if self.whole_host else devices)


@dataclass(frozen=True, slots=True)
class Duration:
    """Length of a run.

    Attributes:
        tokens_per_epoch: that rows have after cutting, padding not counted.
        steps: optimizer steps of the whole run.
        tokens: that the whole run goes through, padding not counted.
        seconds_per_step: of one optimizer step.
        seconds: of all steps; loading, evaluations and saving come on top.
        source: probe (one real step), history (finished runs), or guess (a roofline).
        basis: the source in words.
        energy_joules: joules of all devices, when their power is known.
        cost: in ``currency``, when there is a price.
    """

    tokens_per_epoch: int
    steps: int
    tokens: int
    seconds_per_step: float
    seconds: float
    source: Basis
    basis: str
    energy_joules: float | None = None
    cost: float | None = None
    currency: str = ""

    @property
    def tokens_per_second(self) -> float:
        """Of all devices together."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


def estimate_duration(
    spec: GradientSpec,
    shape: ModelShape,
    device: DeviceFacts,
    lengths: Lengths,
    *,
    work: Workload | None = None,
    step_seconds: float | None = None,
    pace: float | None = None,
    pace_basis: str = "",
    power: float | None = None,
    price: Price | None = None,
) -> Duration:
    """How long the run takes.

    Args:
        spec: the run.
        shape: of its model.
        device: what it runs on.
        lengths: of its training rows.
        work: the workload, when it differs from the spec's own.
        step_seconds: of one step as a probe measured it.
        pace: tokens a second that finished runs of this kind had.
        pace_basis: which runs those are, in words.
        power: watts that one device draws under load.
        price: of the host.
    """
    work = work or Workload.of(spec, shape, device, lengths)
    per_epoch = epoch_tokens(work, lengths)
    each = steps_per_epoch(work, lengths)
    limit = spec.training.max_steps
    steps = limit if limit > 0 else math.ceil(spec.training.num_train_epochs * each)
    source: Basis
    if step_seconds is not None:
        source, seconds = "probe", step_seconds
    elif pace is not None:
        source, seconds = "history", per_epoch / each / pace
    else:
        source, seconds = "guess", guess_step_seconds(work, shape, device, lengths)
    devices = max(1, work.processes)
    return Duration(
        tokens_per_epoch=per_epoch,
        steps=steps,
        tokens=round(per_epoch / each * steps),
        seconds_per_step=seconds,
        seconds=seconds * steps,
        source=source,
        basis=(pace_basis if source == "history" else "") or _words(source, device),
        energy_joules=None if power is None else power * devices * seconds * steps,
        cost=None if price is None else price.of(seconds * steps, devices),
        currency=price.currency if price else "",
    )


def _words(source: Basis, device: DeviceFacts) -> str:
    if source == "guess":
        known = speed_of(device).known
        return "a guess from the device's data sheet" if known else "a rough guess"
    return "measured by a probe" if source == "probe" else "from finished runs"


def epoch_tokens(work: Workload, lengths: Lengths) -> int:
    """Tokens of one epoch as they are trained on."""
    if work.packing != "no" or work.even:
        return lengths.tokens
    return round(lengths.rows * lengths.mean_cut(work.length))


def steps_per_epoch(work: Workload, lengths: Lengths) -> int:
    """Optimizer steps of one epoch, counted as transformers' Trainer does."""
    rows = lengths.rows
    if work.packing != "no" or work.even:
        rows = math.ceil(lengths.tokens / max(1, work.length))
    passes = math.ceil(rows / (work.batch * max(1, work.processes)))
    return max(1, math.ceil(passes / max(1, work.accumulation)))


def guess_step_seconds(
    work: Workload, shape: ModelShape, device: DeviceFacts, lengths: Lengths | None = None
) -> float:
    """Seconds of one optimizer step by a roofline: the slower of computing and moving memory."""
    speed = speed_of(device)
    half = work.precision in ("bf16", "fp16") or work.dtype in ("bfloat16", "float16")
    peak = (speed.half if half else speed.single) * SHARE
    length = _padded_length(work, lengths)
    operations = work.all_sequences * length * _operations(work, shape, length)
    passes = 3 if work.method == "none" else 2
    weights = weight_bytes(shape, work)
    moved = weights * (passes + (1 if work.checkpointing else 0)) / (speed.bandwidth * SHARE)
    one = max(operations / peak, moved)
    if work.quantisation != "none":
        one *= _UNPACKING
    if device.kind != "cpu":
        one += shape.layers * _LAYER_SECONDS * (1.5 if work.checkpointing else 1.0)
    found = trained(shape, work)
    states = optimizer_memory(found, work, cuda=device.kind == "cuda")
    rewritten = 2 * (states.states + states.host + 8.0 * found.numbers)
    update = (
        rewritten / (speed.bandwidth * SHARE) / max(1, work.processes if work.zero_stage else 1)
    )
    return max(1, work.accumulation) * one + update + _exchange(work, device, found.numbers)


def _operations(work: Workload, shape: ModelShape, length: float) -> float:
    """Of one token. A pass forward is two a parameter, a pass back two for each gradient taken.

    Kaplan et al., Scaling Laws for Neural Language Models, 2020, section 2.1.
    """
    attention = 2.0 * shape.layers * shape.heads * shape.head_size * length
    forward = 2.0 * shape.active_parameters + attention
    back = 2.0 if work.method == "none" else 1.0
    again = (1.0 if work.checkpointing else 0.0) + (1.0 if work.chunk else 0.0)
    return forward * (1.0 + back + again)


def _padded_length(work: Workload, lengths: Lengths | None) -> float:
    """Tokens that a row takes with its padding: the longest of a batch, on average."""
    if lengths is None or not lengths.quantiles or work.packing != "no" or work.even:
        return float(work.length)
    last = len(lengths.quantiles) - 1
    cut = [min(quantile, work.length) for quantile in lengths.quantiles]
    return sum(
        length * ((number / last) ** work.batch - (max(0, number - 1) / last) ** work.batch)
        for number, length in enumerate(cut)
    )


def _exchange(work: Workload, device: DeviceFacts, numbers: int) -> float:
    """Seconds in which gradients go round; sharded weights go round three times as well."""
    if work.processes < 2:
        return 0.0
    rate = device.bandwidth or 12e9
    return 2.0 * numbers * 4.0 / rate * (1.5 if work.zero_stage >= 3 else 1.0)
