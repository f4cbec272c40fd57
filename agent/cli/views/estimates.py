"""Estimates, and what Auto chose."""

from __future__ import annotations

import shlex

from ... import text
from ...models import EstimateDevice, EstimateReply, FitReply, MemoryEstimate, RowFacts
from ..invocation import Invocation
from .tables import add_row, facts, plain_table

_BAR = 20


def show(here: Invocation, found: EstimateReply, spec: str) -> None:
    """The estimate part by part, and what could change."""
    here.console.print(facts(_facts(found)))
    table = plain_table("part", "", ">size", "what it is")
    for part in sorted(found.estimate.parts, key=lambda part: -part.bytes):
        drawn = text.bar(part.bytes, found.estimate.total, _BAR, unicode=here.unicode)
        add_row(table, part.title, drawn, text.size(part.bytes), part.why)
    here.console.print(table)
    for note in (*found.notes, *found.estimate.notes):
        here.say(f"Note: {note}", "dim")
    if found.alternatives:
        _alternatives(here, found, spec)


def show_fit(here: Invocation, found: FitReply) -> None:
    """What Auto chose, each change with its reason, or the ways out."""
    pairs = [
        ("model", _model(found.model, found.parameters)),
        ("device", device_words(found.device)),
        ("rows", _rows(found.rows)),
        ("before", memory_words(found.before)),
        ("now", memory_words(found.estimate)),
        ("pace", _pace(found)),
    ]
    here.console.print(facts(pairs))
    here.say("")
    for step in found.steps:
        here.say(f"- {step.sentence}")
    if not found.steps:
        here.say("- Nothing has to change: the spec as it is fits and is the fastest.")
    here.say(found.held, "dim")
    for note in found.notes:
        here.say(f"Note: {note}", "dim")
    if found.fits:
        return
    here.say("")
    here.say("Nothing fits, not even with all of that.", "red")
    for way in found.suggestions:
        here.say(f"- {way.sentence}")


def fitted_yaml(found: FitReply) -> str:
    """The spec as a file, with Auto's reasons above it."""
    lines = [f"# Auto, for {device_words(found.device)}. {found.held}"]
    lines += [f"# {step.sentence}" for step in found.steps]
    return "\n".join(lines) + "\n" + found.yaml


def device_words(device: EstimateDevice) -> str:
    """A device in a few words."""
    many = f"{device.count} x " if device.count > 1 else ""
    where = "" if device.host == "local" else f"{device.host}: "
    return f"{where}{many}{device.name}, {text.size(device.free)} of {text.size(device.total)} free"


def memory_words(found: MemoryEstimate) -> str:
    """The total with its interval and source."""
    interval = f"{text.size(found.low)} to {text.size(found.high)}"
    basis = "" if found.basis == found.source else f": {found.basis}"
    return f"{text.size(found.total)} ({interval}), {found.source}{basis}"


def _facts(found: EstimateReply) -> list[tuple[str, str]]:
    left = found.device.free - found.estimate.high
    verdict = (
        f"yes, {text.size(left)} to spare" if found.fits else f"no, {text.size(-left)} are missing"
    )
    length = found.duration
    took = ""
    if length is not None:
        took = (
            f"{text.duration(length.seconds)} for {length.steps:,} steps "
            f"({length.source}: {length.basis})"
        )
    energy = length.energy_joules if length else None
    cost = length.cost if length else None
    return [
        ("model", _model(found.model, found.parameters)),
        ("device", device_words(found.device)),
        ("rows", _rows(found.rows)),
        ("memory", memory_words(found.estimate)),
        ("peak", found.estimate.peak),
        ("host", f"{text.size(found.estimate.host_bytes)} of host memory besides")
        if found.estimate.host_bytes
        else ("host", ""),
        ("fits", verdict),
        ("time", took),
        ("energy", "" if energy is None else f"at most {energy / 3.6e6:.3g} kWh"),
        ("cost", "" if length is None or cost is None else f"{cost:.2f} {length.currency}"),
    ]


def _model(name: str, parameters: int) -> str:
    if parameters >= 1e9:
        return f"{name}, {parameters / 1e9:.3g} billion parameters"
    return f"{name}, {parameters / 1e6:.3g} million parameters"


def _rows(rows: RowFacts | None) -> str:
    if rows is None:
        return ""
    return f"{rows.rows:,} of {rows.mean:,.0f} tokens on average, {rows.longest:,} at most"


def _pace(found: FitReply) -> str:
    if abs(found.faster - 1) < 0.005:
        return ""
    faster = found.faster > 1
    change = found.faster - 1 if faster else 1 - found.faster
    return f"about {change:.0%} {'faster' if faster else 'slower'} by rule of thumb"


def _alternatives(here: Invocation, found: EstimateReply, spec: str) -> None:
    table = plain_table("instead", ">memory", "fits", ">pace")
    for each in found.alternatives:
        same = abs(each.faster - 1) < 0.005
        pace = "the same" if same else f"{each.faster - 1:+.0%}"
        fits = "yes" if each.fits else "no"
        add_row(table, each.title, f"up to {text.size(each.high)}", fits, pace)
    here.console.print(table)
    here.say(f"All of it at once: luthier presets fit {shlex.quote(spec)}")
