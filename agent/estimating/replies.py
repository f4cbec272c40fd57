"""What was found out, as the API tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from luthier.presets.auto import Solution, Suggestion, alternatives, installed_tools
from luthier.presets.memory import (
    Correction,
    DeviceFacts,
    Estimate,
    Lengths,
    ModelShape,
    Price,
    estimate_duration,
    quick_estimate,
)
from luthier.trainers.registry import find_task
from luthier.trainers.spec import GradientSpec
from luthier.trainers.spec.file import dump_spec

from ..models import (
    DurationEstimate,
    EstimateReply,
    FitAlternative,
    FitReply,
    FitStep,
    FitSuggestion,
    HostReport,
    MemoryEstimate,
    RowFacts,
)
from ..runs.calibration import Pace
from .devices import told
from .lengths import Measured


@dataclass(frozen=True)
class Situation:
    """Everything that a question is about.

    Attributes:
        pace: of finished runs of this kind on the device; None without any.
        price: of the host's devices.
    """

    spec: GradientSpec
    shape: ModelShape
    report: HostReport
    device: DeviceFacts
    correction: Correction | None
    measured: Measured | None
    pace: Pace | None = None
    price: Price | None = None

    @property
    def lengths(self) -> Lengths | None:
        """Of the rows, when they are known."""
        return self.measured.lengths if self.measured else None

    @property
    def notes(self) -> list[str]:
        """What is not known."""
        if self.measured is None and not _has_tokens(self.spec):
            return []
        if self.measured is None:
            return ["Row lengths are not measured: every row counts as the longest allowed."]
        return [self.measured.note] if self.measured.note else []

    @property
    def power(self) -> float | None:
        """Watts of one device at its limit, when it tells them."""
        limits = [
            device.power_limit
            for device in self.report.devices
            if device.name == self.device.name and device.power_limit is not None
        ]
        return max(limits, default=None)

    @property
    def rows(self) -> RowFacts | None:
        """The lengths for the API."""
        found = self.lengths
        if found is None:
            return None
        return RowFacts(rows=found.rows, mean=round(found.mean, 1), longest=found.longest)


def _has_tokens(spec: GradientSpec) -> bool:
    """Whether rows are texts; those of pictures alone are as large as the model wants them."""
    return find_task(spec.task).family != "image"


def quick_reply(at_hand: Situation) -> EstimateReply:
    """The quick estimate with single changes worth making."""
    spec, shape, device = at_hand.spec, at_hand.shape, at_hand.device
    found = quick_estimate(spec, shape, device, at_hand.lengths, at_hand.correction)
    others = alternatives(
        spec, shape, device, at_hand.lengths, at_hand.correction, installed_tools()
    )
    there = told(device, at_hand.report)
    return EstimateReply(
        model=shape.name,
        parameters=shape.parameters,
        estimate=for_api(found),
        device=there,
        fits=found.fits(there.free),
        rows=at_hand.rows,
        duration=_duration(at_hand),
        alternatives=[
            FitAlternative(
                title=each.title,
                settings=each.settings,
                high=each.estimate.high,
                fits=each.fits,
                faster=round(each.faster, 3),
            )
            for each in others
        ],
        notes=at_hand.notes,
    )


def _duration(at_hand: Situation) -> DurationEstimate | None:
    """How long the run takes; None while the lengths of its rows are not known."""
    if at_hand.lengths is None:
        return None
    found = estimate_duration(
        at_hand.spec,
        at_hand.shape,
        at_hand.device,
        at_hand.lengths,
        pace=at_hand.pace.tokens if at_hand.pace else None,
        pace_basis=at_hand.pace.basis if at_hand.pace else "",
        power=at_hand.power,
        price=at_hand.price,
    )
    return DurationEstimate(
        tokens_per_epoch=found.tokens_per_epoch,
        steps=found.steps,
        seconds_per_step=found.seconds_per_step,
        seconds=found.seconds,
        source=found.source,
        basis=found.basis,
        energy_joules=found.energy_joules,
        cost=found.cost,
        currency=found.currency,
    )


def for_api(found: Estimate) -> MemoryEstimate:
    """An estimate as the API tells it."""
    return MemoryEstimate.model_validate(found.as_dict())


def fit_reply(at_hand: Situation, solution: Solution, ways: Sequence[Suggestion]) -> FitReply:
    """What Auto chose, and the ways out when nothing fits."""
    return FitReply(
        fits=solution.fits,
        steps=[
            FitStep(
                key=step.key,
                before=step.before,
                after=step.after,
                why=step.why,
                sentence=step.sentence,
            )
            for step in solution.steps
        ],
        held=solution.held,
        settings=solution.settings,
        spec=solution.spec.model_dump(mode="json"),
        yaml=dump_spec(solution.spec),
        model=at_hand.shape.name,
        parameters=at_hand.shape.parameters,
        before=for_api(solution.before),
        estimate=for_api(solution.estimate),
        device=told(at_hand.device, at_hand.report),
        missing=0 if solution.fits else solution.missing,
        faster=round(solution.faster, 3),
        suggestions=[
            FitSuggestion(kind=each.kind, sentence=each.sentence, settings=each.settings)
            for each in ways
        ],
        rows=at_hand.rows,
        notes=at_hand.notes,
    )
