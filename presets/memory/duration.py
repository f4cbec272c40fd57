"""How long a run takes, what energy it uses and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from luthier.trainers.spec import GradientSpec

from .shape import ModelShape
from .workload import DeviceFacts, Lengths, Workload


@dataclass(frozen=True, slots=True)
class Price:
    """What a host costs.

    Attributes:
        hour: of one device or of the whole host, in ``currency``.
        whole_host: whether the hour is the host's and not one device's.
    """

    hour: float
    currency: str = "USD"
    whole_host: bool = False


@dataclass(frozen=True, slots=True)
class Duration:
    """Length of a run.

    Attributes:
        tokens_per_epoch: that go through the model, padding not counted.
        steps: optimizer steps of the whole run.
        seconds_per_step: of one optimizer step.
        seconds: of all steps together; loading and evaluations come on top.
        source: probe (one real step), history (finished runs), or guess (a roofline).
        basis: the source in words.
        energy_joules: of the devices, when the power is known.
        cost: in the price's currency, when there is one.
    """

    tokens_per_epoch: int
    steps: int
    seconds_per_step: float
    seconds: float
    source: Literal["probe", "history", "guess"]
    basis: str
    energy_joules: float | None = None
    cost: float | None = None
    currency: str = ""

    @property
    def tokens_per_second(self) -> float:
        """Of the whole run, over all devices."""
        raise NotImplementedError


def estimate_duration(
    spec: GradientSpec,
    shape: ModelShape,
    device: DeviceFacts,
    lengths: Lengths,
    *,
    work: Workload | None = None,
    measured: tuple[Literal["probe", "history"], float] | None = None,
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
        measured: seconds of one optimizer step, and whether a probe or finished runs told them.
        power: watts that one device draws under load.
        price: of the host.
    """
    raise NotImplementedError
