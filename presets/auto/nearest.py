"""When nothing fits: the nearest thing that would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import build_spec

from ..files import Sections
from ..memory import Correction, DeviceFacts, Lengths, ModelShape
from .explain import gib
from .problem import NO_TOOLS_MISSING, Tools
from .solution import Solution, solve


@dataclass(frozen=True)
class KnownModel:
    """A model that could be taken instead; ``cached``: it is on this machine."""

    name: str
    shape: ModelShape
    cached: bool = False


@dataclass(frozen=True)
class Host:
    """A host that could be taken instead."""

    name: str
    device: DeviceFacts
    tools: Tools = NO_TOOLS_MISSING


@dataclass(frozen=True)
class Suggestion:
    """One way out.

    Attributes:
        kind: what would change; ``memory`` is what is missing.
        sentence: for a person.
        settings: sections that would make it so.
    """

    kind: Literal["method", "model", "host", "memory"]
    sentence: str
    settings: Sections


def nearest(
    solution: Solution,
    device: DeviceFacts,
    shape: ModelShape,
    *,
    models: Sequence[KnownModel] = (),
    hosts: Sequence[Host] = (),
    lengths: Lengths | None = None,
    correction: Correction | None = None,
    tools: Tools = NO_TOOLS_MISSING,
) -> list[Suggestion]:
    """Ways out of a solution that does not fit, the smallest change first.

    Args:
        models: those that are here or in the model list.
        hosts: the registered ones with their devices.
    """
    found: list[Suggestion] = []
    spec = solution.spec

    def works(settings: Sections, other: ModelShape, there: Host) -> bool:
        return _fits(spec, settings, other, there, lengths, correction)

    here = Host("", device, tools)
    found += _adapter(spec, shape, here, works)
    found += _host(shape, hosts, works)
    found += _model(shape, models, here, works)
    missing = f"On each device {gib(solution.missing)} are missing: "
    missing += f"{gib(solution.estimate.high)} are needed and {gib(solution.free)} are free."
    if device.total > solution.estimate.high:
        missing += " The device is large enough; other processes hold the rest."
    return [*found, Suggestion("memory", missing, {})]


def _adapter(spec: RunSpec, shape: ModelShape, here: Host, works: Any) -> Iterator[Suggestion]:
    peft = getattr(spec, "peft", None)
    if peft is None or peft.method != "none":
        return
    rate = float(f"{10 * spec.model_dump()['training']['learning_rate']:.3g}")
    settings: Sections = {"peft": {"method": "lora"}, "training": {"learning_rate": rate}}
    if works(settings, shape, here):
        sentence = "An adapter would fit: peft.method lora, with ten times the learning rate."
        yield Suggestion("method", sentence, settings)


def _host(shape: ModelShape, hosts: Sequence[Host], works: Any) -> Iterator[Suggestion]:
    smallest_first = sorted(hosts, key=lambda host: (host.device.count, host.device.free))
    for host in smallest_first:
        settings = {"launch": {"host": host.name}}
        if works(settings, shape, host):
            device = host.device
            many = f"{device.count} x " if device.count > 1 else ""
            free = gib(device.free or device.total)
            sentence = f"It fits on the host {host.name} ({many}{device.name}, {free} free)."
            yield Suggestion("host", sentence, settings)
            return


def _model(
    shape: ModelShape, models: Sequence[KnownModel], here: Host, works: Any
) -> Iterator[Suggestion]:
    """The largest smaller model that is cached, and of the list that of the same family first."""
    smaller = [
        model
        for model in models
        if model.shape.parameters < shape.parameters and model.shape.kind == shape.kind
    ]

    def closeness(model: KnownModel) -> tuple[bool, int]:
        return model.shape.model_type == shape.model_type, model.shape.parameters

    for cached in (True, False):
        ranked = sorted((m for m in smaller if m.cached is cached), key=closeness, reverse=True)
        for model in ranked:
            settings = {"model": {"name_or_path": model.name}}
            if works(settings, model.shape, here):
                where = "which is on this machine" if cached else "from the model list"
                size = f"{model.shape.parameters / 1e9:.2g} billion parameters"
                sentence = f"{model.name} would fit ({size}), {where}."
                yield Suggestion("model", sentence, settings)
                break


def _fits(
    spec: RunSpec,
    settings: Sections,
    shape: ModelShape,
    host: Host,
    lengths: Lengths | None,
    correction: Correction | None,
) -> bool:
    values = spec.model_dump(mode="json")
    for name, section in settings.items():
        values[name] = {**values[name], **section}
    try:
        other = build_spec(values, source="Auto")
        own = None if host.name else correction
        return solve(
            other, shape, host.device, lengths=lengths, correction=own, tools=host.tools
        ).fits
    except LuthierError:
        return False
