"""Finding the fastest choice that fits: concession by concession, the least first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .problem import Choice, Level, Problem

Valid = Callable[[Choice], bool]


def search(problem: Problem, free: int, valid: Valid = lambda choice: True) -> Choice | None:
    """The fastest choice of the first level of concessions at which any fits; None: nothing does.

    Args:
        free: bytes that each device has; an estimate fits when its upper end does.
        valid: whether a choice makes a spec; asked of fitting choices only, the fastest first.
    """
    for level in problem.levels:
        if not any(choice.estimate.fits(free) for choice in smallest(problem, level)):
            continue
        fitting = [choice for choice in _choices(problem, level) if choice.estimate.fits(free)]
        for choice in sorted(fitting, key=order):
            if valid(choice):
                return choice
    return None


def order(choice: Choice) -> tuple[float, int]:
    """The faster is before the slower, and of two equal ones that with more room."""
    return choice.seconds, choice.estimate.high


def smallest(problem: Problem, level: Level) -> Iterator[Choice]:
    """The choices of a level among which is that which takes the least memory.

    With the smallest micro-batch; and with the largest, since without accumulation no gradients
    stand beside the activations of the next pass.
    """
    for sharing in problem.sharings:
        batches = problem.batches(sharing)
        if batches and problem.possible(level, sharing):
            for checkpointing in problem.checkpointings:
                for batch in {batches[0], batches[-1]}:
                    yield problem.choice(level, sharing, checkpointing, batch)


def _choices(problem: Problem, level: Level) -> Iterator[Choice]:
    """All choices of a level."""
    for sharing in problem.sharings:
        if problem.possible(level, sharing):
            for checkpointing in problem.checkpointings:
                for batch in problem.batches(sharing):
                    yield problem.choice(level, sharing, checkpointing, batch)


def least(problem: Problem, valid: Valid = lambda choice: True) -> Choice:
    """The choice that takes the least memory of all that make a spec."""
    found = sorted(
        (choice for level in problem.levels for choice in smallest(problem, level)),
        key=lambda choice: choice.estimate.high,
    )
    return next(filter(valid, found), found[0])
