"""The values by which tokens are chosen, as sliders: where each stands, and one step of it."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.agent.chat.values import with_value
from luthier.agent.models import Sampling
from luthier.trainers.chat.sampling import SETTINGS

NAMED = tuple(SETTINGS)
"""The ready sets of values."""


@dataclass(frozen=True)
class Slider:
    """One value.

    Attributes:
        name: its name in Sampling.
        label: what people call it.
        help: one sentence.
        stops: the values that the slider stops at, in their order; others can be typed.
        digits: figures after the point.
        off: what it is called when it is neither set nor part of the ready set.
    """

    name: str
    label: str
    help: str
    stops: tuple[float, ...]
    digits: int = 0
    off: str = "off"


def _steps(first: int, last: int, step: int, divisor: int) -> tuple[float, ...]:
    return tuple(value / divisor for value in range(first, last + 1, step))


SLIDERS = (
    Slider(
        "temperature",
        "temperature",
        "Higher is more varied, lower more predictable; 0 always takes the likeliest token.",
        _steps(0, 200, 5, 100),
        2,
        "greedy",
    ),
    Slider(
        "top_p",
        "top p",
        "Draws only from the likeliest tokens that together have this probability.",
        _steps(5, 100, 5, 100),
        2,
    ),
    Slider(
        "top_k",
        "top k",
        "Draws only from this many of the likeliest tokens; 0 from all.",
        (0, 1, 2, 5, 10, 20, 40, 50, 80, 100, 200),
    ),
    Slider(
        "repetition_penalty",
        "repetition",
        "Above 1, tokens that were used already become less likely.",
        _steps(100, 200, 5, 100),
        2,
    ),
    Slider(
        "max_new_tokens",
        "longest answer",
        "Tokens after which an answer is cut.",
        (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192),
    ),
    Slider(
        "seed",
        "seed",
        "The same seed draws the same answer again; without one, each answer is drawn anew.",
        tuple(range(101)),
        off="none",
    ),
)


def value_of(sampling: Sampling, slider: Slider) -> tuple[float | None, bool]:
    """The value that counts, and whether it was chosen rather than the ready set's own."""
    own = getattr(sampling, slider.name)
    if slider.name == "max_new_tokens":
        return own, own != Sampling().max_new_tokens
    if own is not None:
        return own, True
    temperature, top_p = SETTINGS[sampling.setting]
    return {"temperature": temperature, "top_p": top_p}.get(slider.name), False


def shown(sampling: Sampling, slider: Slider) -> str:
    """The value that counts, in words."""
    value, _ = value_of(sampling, slider)
    if value is None:
        return slider.off
    return f"{value:.{slider.digits}f}" if float(value) in slider.stops else f"{value:g}"


def share(sampling: Sampling, slider: Slider) -> float:
    """Where on the slider the value stands, 0 at its first stop and 1 at its last."""
    value, _ = value_of(sampling, slider)
    if value is None:
        return 0.0
    below = sum(stop <= value for stop in slider.stops) - 1
    return max(0, below) / (len(slider.stops) - 1)


def nudged(sampling: Sampling, slider: Slider, steps: int) -> Sampling:
    """The same with the slider moved to a next stop; it does not go beyond its ends.

    Moving a value that is off starts at the end that changes least, or at the first stop.
    """
    value, _ = value_of(sampling, slider)
    if value is None:
        first = slider.stops[-1] if slider.name == "top_p" else slider.stops[0]
        return with_value(sampling, slider.name, f"{first:g}")
    for _ in range(abs(steps)):
        value = _next(slider.stops, value, up=steps > 0)
    return with_value(sampling, slider.name, f"{value:g}")


def _next(stops: tuple[float, ...], value: float, *, up: bool) -> float:
    if up:
        return min((stop for stop in stops if stop > value), default=value)
    return max((stop for stop in stops if stop < value), default=value)


def in_words(sampling: Sampling) -> str:
    """The ready set and what was chosen besides, on one line."""
    parts: list[str] = [sampling.setting]
    for slider in SLIDERS:
        if value_of(sampling, slider)[1]:
            parts.append(f"{slider.label} {shown(sampling, slider)}")
    return ", ".join(parts)
