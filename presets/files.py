"""The format of preset files, and what a file means for each task that it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import Task
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.yaml_loader import load_yaml

Sections = dict[str, dict[str, Any]]


class Suits(BaseModel):
    """What a preset is right for; silent: anything.

    Attributes:
        models: architectures, as ``model_type`` in a model's config.json.
        parameters: least and most parameters of the model, in billions.
        devices: kinds of devices.
    """

    model_config = ConfigDict(extra="forbid")

    models: list[str] = []
    parameters: tuple[float, float] | None = None
    devices: list[Literal["cpu", "cuda", "qaic"]] = []


class PresetFile(BaseModel):
    """One YAML file.

    Attributes:
        title: a few words for lists.
        purpose: what it is for.
        trades: what it gives up for that.
        sources: where its numbers come from.
        tasks: ids or patterns such as ``llm-*``, without those of patterns such as ``!llm-*``;
            silent: the task that the folder is called after.
        suits: what it is right for.
        quirks: what one should know about the models that it is for.
        settings: sections and settings that it fixes.
        multiply: settings that are the task's own default times a number.
    """

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1)
    purpose: str = Field(min_length=1)
    trades: str = ""
    sources: str = ""
    tasks: list[str] = []
    suits: Suits = Suits()
    quirks: list[str] = []
    settings: Sections = {}
    multiply: dict[str, dict[str, float]] = {}

    def specificity(self, task: Task) -> int | None:
        """How closely the file is meant for a task, more is closer; None: it is not for it."""
        fitting = []
        for pattern in self.tasks:
            if pattern.startswith("!") and fnmatchcase(task.id, pattern[1:]):
                return None
            if fnmatchcase(task.id, pattern):
                fitting.append(pattern)
        return max((len(pattern.replace("*", "")) for pattern in fitting), default=None)

    def settings_for(self, task: Task) -> Sections:
        """The settings as they are for a task.

        A file that is for many tasks may speak of settings that only some of them have; those are
        left out for the others. In a file that names the task they stay, so that a misspelt one
        is refused.
        """
        known = _keys(task.spec)
        named = task.id in self.tasks
        found: Sections = {}
        for section, values in self.settings.items():
            kept = {key: value for key, value in values.items() if named or (section, key) in known}
            if kept:
                found[section] = kept
        for section, factors in self.multiply.items():
            for key, factor in factors.items():
                declared = known.get((section, key))
                default = declared.default if declared else None
                if isinstance(default, int | float):
                    found.setdefault(section, {})[key] = float(f"{default * factor:.3g}")
        return found


def read_file(path: Path, tasks: Sequence[str] = ()) -> PresetFile:
    """Read one file.

    Args:
        tasks: what it is for when it does not say so itself.

    Raises:
        LuthierError: it cannot be read, or a key is wrong; names the file and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LuthierError(f"{path}: not UTF-8 text.", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise LuthierError(f"{path}: {error.strerror}.") from error
    return parse_file(text, str(path), tasks)


def parse_file(text: str, source: str, tasks: Sequence[str] = ()) -> PresetFile:
    """The same from its text; ``source`` names it in errors. Raises LuthierError."""
    try:
        values = load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = getattr(error, "problem", None) or error
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        said = " ".join(str(problem).split())
        raise LuthierError(f"{where}: not valid YAML: {said}.") from error
    if not isinstance(values, Mapping):
        raise LuthierError(
            f"{source}: a preset is a mapping with title, purpose and settings.",
            hint="Start from one: luthier presets copy llm-sft/balanced mine",
        )
    try:
        found = PresetFile.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = " ".join(".".join(map(str, first["loc"])).split())
        if first["type"] == "extra_forbidden":
            known = ", ".join(PresetFile.model_fields)
            raise LuthierError(f"{source}: unknown key {key}; known are {known}.") from error
        if first["type"] == "missing":
            raise LuthierError(f"{source}: {key} is missing.") from error
        raise LuthierError(f"{source}: {key}: {first['msg']}.") from error
    return found if found.tasks else found.model_copy(update={"tasks": list(tasks)})


@cache
def _keys(spec: type[RunSpec]) -> dict[tuple[str, str], FieldInfo]:
    """The declaration of every setting that stands in a section."""
    found: dict[tuple[str, str], FieldInfo] = {}
    for section, field in spec.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= {(section, key): each for key, each in inner.model_fields.items()}
    return found
