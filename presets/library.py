"""The preset library: YAML files below ``library/<task>/``, each a named part of a spec."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import find_task
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import build_spec
from luthier.trainers.spec.yaml_loader import load_yaml

_LIBRARY = Path(__file__).parent / "library"


class Preset(BaseModel):
    """A named part of a spec.

    Attributes:
        name: ``<task>/<file name>``, such as ``llm-sft/balanced``.
        title: a few words for lists.
        task: the task it belongs to.
        description: what it is for, what it trades, and where its numbers come from.
        settings: sections and settings that it fixes; everything else keeps its default.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    task: str
    description: str
    settings: dict[str, dict[str, Any]]

    def apply(self, values: dict[str, Any]) -> RunSpec:
        """The spec of ``values`` (plain sections) with this preset's settings below them.

        Raises:
            SpecError: the result cannot work.
        """
        sections = {name: dict(settings) for name, settings in self.settings.items()}
        for name, value in values.items():
            if isinstance(value, dict):
                sections[name] = {**sections.get(name, {}), **value}
        plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
        return build_spec({"task": self.task, **plain, **sections}, source=f"preset {self.name}")


@cache
def presets() -> tuple[Preset, ...]:
    """Every preset of the library, by name."""
    files = sorted(_LIBRARY.glob("*/*.yaml"))
    return tuple(_read(file) for file in files)


def find_preset(name: str) -> Preset:
    """The preset of that name. Raises LuthierError, with the nearest name, when there is none."""
    known = {preset.name: preset for preset in presets()}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}?" if near else "List them with: luthier presets"
    raise LuthierError(f"There is no preset {name!r}.", hint=hint)


def _read(file: Path) -> Preset:
    values = load_yaml(file.read_text(encoding="utf-8"))
    task = find_task(file.parent.name)
    return Preset(name=f"{task.id}/{file.stem}", task=task.id, **values)
