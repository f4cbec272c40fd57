"""One change at a time: what each would do to memory and pace, for a person to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from luthier.trainers.spec import GradientSpec

from ..files import Sections
from ..memory import Correction, DeviceFacts, Estimate, Lengths, ModelShape
from .changes import laid_over, makes_a_spec, settings_of
from .problem import NO_TOOLS_MISSING, Choice, Problem, Sharing, Tools


@dataclass(frozen=True)
class Alternative:
    """One change to a spec.

    Attributes:
        title: what it is, in a few words.
        settings: the sections and settings that it changes.
        estimate: of the spec with it.
        fits: whether it would fit.
        faster: the pace with it by that without, by rule of thumb.
    """

    title: str
    settings: Sections
    estimate: Estimate
    fits: bool
    faster: float


def alternatives(
    spec: GradientSpec,
    shape: ModelShape,
    device: DeviceFacts,
    lengths: Lengths | None = None,
    correction: Correction | None = None,
    tools: Tools = NO_TOOLS_MISSING,
) -> list[Alternative]:
    """Single changes worth making: those that save memory when it is short, else the faster ones.

    What fits needs no concession, such as shorter rows. The least concession comes first.
    """
    problem = Problem(spec, shape, device, lengths, correction, tools)
    free = device.free or device.total
    work = problem.work
    now = problem.choice(
        problem.levels[0],
        Sharing(work.processes, work.strategy, work.zero_stage),
        work.checkpointing,
        work.batch,
    )
    short = not now.estimate.fits(free)
    found = []
    for title, choice in _variations(problem, now):
        saves = choice.estimate.high < _WORTH * now.estimate.high
        fits = choice.estimate.fits(free)
        concedes = choice.level != now.level
        quicker = choice.seconds < _WORTH * now.seconds
        better = saves if short else (fits and quicker and not concedes)
        if better and makes_a_spec(problem, choice):
            settings = laid_over((), settings_of(problem, choice))
            # The other half of a micro-batch is its own affair here.
            settings.pop("evaluation", None)
            faster = now.seconds / choice.seconds
            found.append(Alternative(title, settings, choice.estimate, fits, faster))
    return found


def _variations(problem: Problem, now: Choice) -> Iterator[tuple[str, Choice]]:
    def vary(**changes: object) -> Choice:
        # Each name brings the type of its own field, which mypy cannot tell apart here.
        level = replace(now.level, **{k: v for k, v in changes.items() if k in _OF_LEVEL})  # type: ignore[arg-type]
        recompute = bool(changes.get("checkpointing", now.checkpointing))
        batch = int(str(changes.get("batch", now.batch)))
        return problem.choice(level, now.sharing, recompute, batch)

    batches = problem.batches(now.sharing)
    smaller = [batch for batch in batches if batch < now.batch]
    larger = [batch for batch in batches if batch > now.batch]
    if smaller:
        yield f"micro-batch {smaller[-1]}", vary(batch=smaller[-1])
    if larger:
        yield f"micro-batch {larger[0]}", vary(batch=larger[0])
    if not now.checkpointing:
        yield "recompute activations", vary(checkpointing=True)
    else:
        yield "keep activations", vary(checkpointing=False)
    for quantisation in problem.quantisations[1:]:
        yield "base model in 4 bits", vary(quantisation=quantisation)
    for optimizer in problem.optimizers[1:2]:
        yield "8-bit optimizer", vary(optimizer=optimizer)
    for length in [cut for cut in problem.limits[1:] if cut <= problem.work.length // 2][:1]:
        yield f"rows up to {length:,} tokens", vary(length=length)
    for rank in problem.ranks[1:2]:
        yield f"rank {rank}", vary(rank=rank)


_OF_LEVEL = ("rank", "length", "optimizer", "quantisation")
# Less than a hundredth is not worth a change.
_WORTH = 0.99
