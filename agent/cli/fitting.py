"""Auto on the command line: a preset made for this machine, and runs that are made to fit."""

from __future__ import annotations

import json
from pathlib import Path

from luthier.presets import Library, Preset
from luthier.presets.library import open_settings
from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import Task

from ..models import FitReply
from .invocation import Invocation
from .starter import starter_values


def auto_preset(here: Invocation, task: Task, library: Library) -> Preset:
    """Balanced as Auto makes it fit this machine, for the task's default model.

    Raises:
        LuthierError: nothing fits, or the model is not known here.
    """
    base = library.find("balanced", task.id)
    values = starter_values(task)
    for section, key, stand_in in open_settings(task):
        values.setdefault(section, {}).setdefault(key, stand_in)
    spec = base.apply(values).model_dump(mode="json")
    with here.busy("Finding what fits ..."):
        found = here.client.fit(spec, source=f"preset {base.name}", data="ignore")
    refuse_unfitting(found)
    settings = {name: dict(inner) for name, inner in base.settings.items()}
    for section, inner in found.settings.items():
        settings.setdefault(section, {}).update(inner)
    reasons = " ".join(f"{step.sentence[0].upper()}{step.sentence[1:]}" for step in found.steps)
    return Preset(
        name=f"{task.id}/auto",
        title="Auto",
        task=task.id,
        settings=settings,
        purpose=f"Balanced as it fits {found.device.name} with {found.model}.",
        trades=reasons,
        sources=found.held,
    )


def fitted_overrides(here: Invocation, spec: Path, overrides: list[str]) -> list[str]:
    """The overrides with those that Auto adds; says each change.

    Raises:
        LuthierError: nothing fits.
    """
    from .estimating import ask_fit

    found = ask_fit(
        here,
        spec,
        overrides,
        keep=[override.partition("=")[0].strip() for override in overrides],
        host=None,
        memory=None,
        kind=None,
        count=None,
        data=True,
    )
    refuse_unfitting(found)
    for step in found.steps:
        here.remark(f"Auto: {step.sentence}")
    added = [
        f"{section}.{key}={json.dumps(value)}"
        for section, inner in found.settings.items()
        for key, value in inner.items()
    ]
    return [*overrides, *added]


def refuse_unfitting(found: FitReply) -> None:
    """Raise LuthierError with the ways out when nothing fits."""
    if not found.fits:
        ways = " ".join(way.sentence for way in found.suggestions)
        raise LuthierError(f"Nothing fits {found.device.name}.", hint=ways)
