"""Solving: adapt to the device, search, and say what was chosen and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import GradientSpec, RunSpec

from ..memory import Correction, DeviceFacts, Estimate, Lengths, ModelShape, quick_estimate
from .adapt import adaptations
from .changes import built, laid_over, makes_a_spec, settings_of
from .explain import Step, explain, held
from .pace import step_seconds
from .problem import NO_TOOLS_MISSING, Choice, Problem, Tools
from .search import least, search


@dataclass(frozen=True)
class Solution:
    """What Auto found.

    Attributes:
        fits: whether the chosen settings fit; if not, they are those that take the least.
        spec: with the chosen settings.
        settings: the sections and settings that differ from the spec that was given.
        steps: every change with its reason, in the order of the decisions.
        held: what was not touched, in a sentence.
        before: the estimate of the spec as it was given.
        estimate: that of the chosen settings.
        free: bytes that were free on each device.
        choice: the chosen point of the search.
        faster: the pace of the chosen settings by that of the given ones, by rule of thumb.
    """

    fits: bool
    spec: RunSpec
    settings: dict[str, dict[str, Any]]
    steps: tuple[Step, ...]
    held: str
    before: Estimate
    estimate: Estimate
    free: int
    choice: Choice
    faster: float = 1.0

    @property
    def missing(self) -> int:
        """Bytes that are lacking on each device; 0 when it fits."""
        return max(0, self.estimate.high - self.free)


def solve(
    spec: RunSpec,
    shape: ModelShape,
    device: DeviceFacts,
    *,
    lengths: Lengths | None = None,
    correction: Correction | None = None,
    tools: Tools = NO_TOOLS_MISSING,
    keep: frozenset[str] = frozenset(),
) -> Solution:
    """The fastest settings that fit the device's free memory, and why each differs.

    Args:
        spec: where to start; its effective batch, epochs and learning rate hold.
        shape: of its model.
        device: the device with the least free memory; ``count`` like it may be used together.
        lengths: of the training rows; without them every row is as long as the spec allows.
        correction: what finished runs on the device taught.
        tools: what is installed where the run will be.
        keep: keys such as ``training.max_length`` that must not change.

    Raises:
        LuthierError: the task is not trained by gradient descent, or the memory is not known.
    """
    if not isinstance(spec, GradientSpec):
        raise LuthierError(f"Auto has nothing to choose for {spec.task}: it loads no network.")
    free = device.free or device.total
    if not free:
        raise LuthierError(
            f"How much memory {device.name or device.kind} has is not known.",
            hint="Say it: --memory 24.",
        )
    before = quick_estimate(spec, shape, device, lengths, correction)
    adapted, first = adaptations(spec, device, tools)
    problem = Problem(adapted, shape, device, lengths, correction, tools, keep)
    valid = partial(makes_a_spec, problem)
    found = search(problem, free, valid)
    chosen = found or least(problem, valid)
    changes = settings_of(problem, chosen)
    sections = laid_over(first, changes)
    steps = [Step(change.key, change.before, change.after, change.why) for change in first]
    steps += explain(problem, chosen, changes, free)
    return Solution(
        fits=found is not None,
        spec=built(spec, sections),
        settings=sections,
        steps=tuple(steps),
        held=held(problem),
        before=before,
        estimate=chosen.estimate,
        free=free,
        choice=chosen,
        faster=_pace(problem) / chosen.seconds,
    )


def _pace(problem: Problem) -> float:
    return step_seconds(problem.work, problem.shape, problem.device, problem.lengths)
