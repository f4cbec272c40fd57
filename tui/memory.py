"""What an estimate looks like: a bar of its parts, its words, and what could be changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.agent.models import EstimateReply, FitReply, MemoryEstimate
from luthier.presets import Preset

from .forms import Form

Size = Callable[[float], str]
"""Bytes in the units that the person chose."""

FILLS = "█▓▒░▞▚▤▥▦"
ASCII_FILLS = "#=*+-~%o:"
_SHORT = {
    "weights": "weights",
    "adapter": "adapter",
    "gradients": "gradients",
    "optimizer": "optimizer",
    "activations": "activations",
    "loss": "loss",
    "temporary": "temporary",
    "sharing": "sharing",
    "framework": "framework",
}
_MOST_OFFERS = 5


@dataclass(frozen=True)
class Piece:
    """A stretch of the bar: one part of the estimate, or what stays free."""

    key: str
    cells: int
    bytes: int


@dataclass(frozen=True)
class Offer:
    """One change behind a key."""

    key: str
    words: str
    settings: dict[str, dict[str, Any]]
    fits: bool


def pieces(estimate: MemoryEstimate, free: int, width: int) -> list[Piece]:
    """The bar in ``width`` cells: the parts, the largest first, and what stays free.

    The whole width is the free memory, or the estimate where that is more. Every part that takes
    at least half a cell is seen.
    """
    scale = max(free, estimate.total, 1)
    found, drawn, reached = [], 0, 0.0
    for part in sorted(estimate.parts, key=lambda part: -part.bytes):
        reached += part.bytes
        cells = min(width, round(reached / scale * width)) - drawn
        drawn += cells
        found.append(Piece(part.key, cells, part.bytes))
    if width > drawn and free > estimate.total:
        found.append(Piece("", width - drawn, free - estimate.total))
    return found


def summary(reply: EstimateReply, size: Size) -> str:
    """The estimate and the verdict in a sentence."""
    found, device = reply.estimate, reply.device
    left = device.free - found.high
    verdict = f"fits, {size(left)} to spare" if reply.fits else f"{size(-left)} missing"
    many = f" on each of {device.count}" if device.count > 1 else ""
    return (
        f"{size(found.total)} ({interval(found, size)}) of {size(device.free)} free{many}: "
        f"{verdict}"
    )


def interval(found: MemoryEstimate, size: Size) -> str:
    """The interval of an estimate, the unit said once where both ends have the same."""
    low, _, unit = size(found.low).partition(" ")
    high = size(found.high)
    return f"{low} to {high}" if high.endswith(unit) else f"{size(found.low)} to {high}"


def fits_words(reply: EstimateReply, size: Size) -> str:
    """Whether it fits, with the figures that say so."""
    high, free = reply.estimate.high, reply.device.free
    figures = f"takes up to {size(high)}, {size(free)} are free on {reply.device.name}"
    if reply.fits:
        return f"Fits: {figures}, {size(free - high)} to spare."
    ways = [each.title for each in reply.alternatives if each.fits]
    hint = f" It would with {ways[0]}." if ways else ""
    return f"Does not fit: {figures}, {size(high - free)} missing.{hint}"


def suits_words(preset: Preset, reply: EstimateReply) -> list[str]:
    """Sentences about what the preset was made for and the run is not."""
    found = []
    if preset.suits.parameters is not None:
        least, most = preset.suits.parameters
        own = reply.parameters / 1e9
        if not least <= own <= most:
            sizes = f"{least:g} to {most:g} billion parameters"
            found.append(f"Made for {sizes}; the model has {own:.2g} billion.")
    if preset.suits.devices and reply.device.kind not in preset.suits.devices:
        meant = " or ".join(preset.suits.devices)
        found.append(f"Made for {meant} devices; the run would use {reply.device.kind}.")
    return found


def source(reply: EstimateReply) -> str:
    """Where the estimate comes from and for what device."""
    found = reply.estimate
    rows = "" if reply.rows else ", rows not measured"
    return f"{reply.device.name}; {found.basis}{rows}"


def legend(estimate: MemoryEstimate, size: Size, fills: str) -> list[tuple[str, str]]:
    """Key and words of every part, the largest first; each with the character it is drawn with."""
    parts = sorted(estimate.parts, key=lambda part: -part.bytes)
    return [
        (part.key, f"{fill} {_SHORT.get(part.key, part.title.lower())} {size(part.bytes)}")
        for part, fill in zip(parts, fills, strict=False)
    ]


def offers(reply: EstimateReply, size: Size, check: str, cross: str) -> list[Offer]:
    """Single changes behind the keys 1 to 5; those that make it fit come first."""
    ranked = sorted(reply.alternatives, key=lambda each: not each.fits)[:_MOST_OFFERS]
    found = []
    for number, each in enumerate(ranked, start=1):
        if reply.fits:
            words = f"{each.title} {each.faster - 1:+.0%} faster"
        else:
            words = f"{each.title} {size(each.high)} {check if each.fits else cross}"
        found.append(Offer(str(number), words, each.settings, each.fits))
    return found


def fit_lines(reply: FitReply, size: Size) -> list[str]:
    """What Auto chose, one sentence a line."""
    device = reply.device
    head = (
        f"Takes {size(reply.estimate.total)} ({interval(reply.estimate, size)}) of "
        f"{size(device.free)} free on {device.name}."
    )
    steps = [f"- {step.sentence}" for step in reply.steps]
    if not steps:
        steps = ["Nothing has to change: the settings fit and are the fastest."]
    ways = [] if reply.fits else ["Nothing fits.", *(way.sentence for way in reply.suggestions)]
    return [head, *steps, reply.held, *reply.notes, *ways]


def estimable(form: Form) -> dict[str, Any] | None:
    """The form's values for an estimate; None while a setting is wrong or no model is chosen.

    What is needed and still missing, such as the data, does not matter for memory.
    """
    missing = [field for field in form.fields if field.required and form.value(field.key) is None]
    names = {field.key for field in missing}
    if "model.name_or_path" in names or "model.name_or_path" not in _keys(form):
        return None
    check = form.check()
    if check.other or set(check.problems) - names:
        return None
    values = form.values()
    for field in missing:
        section, _, name = field.key.rpartition(".")
        values.setdefault(section, {})[name] = field.example or "something"
    return values


def settings_keys(settings: dict[str, dict[str, Any]]) -> Sequence[tuple[str, Any]]:
    """Sections as dotted keys with their values."""
    return [
        (f"{section}.{key}", value)
        for section, inner in settings.items()
        for key, value in inner.items()
    ]


def _keys(form: Form) -> set[str]:
    return {field.key for field in form.fields}
