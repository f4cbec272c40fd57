"""The presets: those of the library, and a person's own in the same format."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from luthier.trainers.errors import LuthierError, SpecError
from luthier.trainers.registry import Task, find_task, tasks
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import build_spec

from .files import PresetFile, Sections, Suits, read_file

_LIBRARY = Path(__file__).parent / "library"


class Preset(BaseModel):
    """A named part of a spec, for one task.

    Attributes:
        name: ``<task>/<file name>``, such as ``llm-sft/balanced``.
        title: a few words for lists.
        task: the task it belongs to.
        settings: sections and settings that it fixes; everything else keeps its default.
        purpose: what it is for.
        trades: what it gives up for that.
        sources: where its numbers come from.
        suits: which models and devices it is right for.
        quirks: what one should know about the models that it is for.
        path: its file.
        own: whether it is the person's, who may change it.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    task: str
    settings: Sections
    purpose: str = ""
    trades: str = ""
    sources: str = ""
    suits: Suits = Suits()
    quirks: list[str] = []
    path: Path | None = None
    own: bool = False

    @property
    def kind(self) -> str:
        """The name without the task."""
        return self.name.partition("/")[2]

    @property
    def description(self) -> str:
        """What it is for, what it trades, and where its numbers come from."""
        return " ".join(filter(None, (self.purpose, self.trades, *self.quirks, self.sources)))

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

    def over(self, other: Preset) -> Preset:
        """This preset's settings over another's, as one preset. Both are for the same task."""
        sections = {name: dict(settings) for name, settings in other.settings.items()}
        for name, settings in self.settings.items():
            sections[name] = {**sections.get(name, {}), **settings}
        return Preset(
            name=f"{other.name}+{self.kind}",
            title=f"{other.title}, {self.title}",
            task=self.task,
            settings=sections,
            purpose=f"{other.purpose} {self.purpose}",
            trades=" ".join(filter(None, (other.trades, self.trades))),
            sources=" ".join(filter(None, (other.sources, self.sources))),
            suits=self.suits,
            quirks=[*other.quirks, *self.quirks],
            own=other.own or self.own,
        )


class Library:
    """The built-in presets with those of a person, which win where the names are the same.

    Args:
        own: folder of the person's presets, ``<task>/<name>.yaml``; it need not exist.
    """

    def __init__(self, own: Path | None = None) -> None:
        self._own = own

    def presets(self, task: str | None = None) -> list[Preset]:
        """Every preset by name, or those of one task. Files that are damaged are left out."""
        found = {preset.name: preset for preset in (task_presets(task) if task else presets())}
        found |= {preset.name: preset for preset in self.own() if task in (None, preset.task)}
        return [found[name] for name in sorted(found)]

    def own(self) -> list[Preset]:
        """The person's presets that can be read."""
        found: list[Preset] = []
        for path in self._files():
            try:
                found += _of_file(path, read_file(path, [path.parent.name]), own=True)
            except LuthierError:
                continue  # problems() tells
        return found

    def problems(self) -> list[str]:
        """A sentence for each of the person's files that cannot be used."""
        found = []
        for path in self._files():
            try:
                read = read_file(path, [path.parent.name])
                if not any(read.specificity(task) is not None for task in tasks().values()):
                    meant = ", ".join(read.tasks)
                    raise LuthierError(f"{path}: it is for {meant}, which is no task.")
                for preset in _of_file(path, read, own=True):
                    check(preset)
            except LuthierError as error:
                found.append(str(error))
        return found

    def find(self, name: str, task: str | None = None) -> Preset:
        """The preset of that name.

        Args:
            name: ``<task>/<name>``; several are joined by ``+``, the later ones win:
                ``llm-sft/balanced+llama``.
            task: the task, when the name does not begin with one.

        Raises:
            LuthierError: there is none; tells the nearest name.
        """
        first, *more = name.split("+")
        if "/" not in first and task is not None:
            first = f"{task}/{first}"
        found = self._one(first)
        for kind in more:
            found = self._one(kind if "/" in kind else f"{found.task}/{kind}").over(found)
        return found

    def _one(self, name: str) -> Preset:
        known = {preset.name: preset for preset in self.presets()}
        if name in known:
            return known[name]
        near = get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}?" if near else "List them with: luthier presets"
        raise LuthierError(f"There is no preset {name!r}.", hint=hint)

    def _files(self) -> list[Path]:
        return sorted(self._own.glob("*/*.yaml")) if self._own and self._own.is_dir() else []


@cache
def _read_library() -> tuple[tuple[Path, PresetFile], ...]:
    files = sorted(_LIBRARY.glob("*/*.yaml"))
    return tuple((path, read_file(path, [path.parent.name])) for path in files)


@cache
def task_presets(task_id: str) -> tuple[Preset, ...]:
    """The library's presets of one task, by name. Raises LuthierError when there is no such task.

    Of several files of one name the one that is meant most closely for the task counts.
    """
    task = find_task(task_id)
    chosen: dict[str, tuple[int, Path, PresetFile]] = {}
    for path, file in _read_library():
        closeness = file.specificity(task)
        if closeness is not None and closeness >= chosen.get(path.stem, (-1,))[0]:
            chosen[path.stem] = (closeness, path, file)
    found = []
    for _, path, file in chosen.values():
        preset = _preset(path, file, task, own=False)
        accepted = preset if task.id in file.tasks else _accepted(preset)
        if accepted is not None and accepted.settings:
            found.append(accepted)
    return tuple(sorted(found, key=lambda preset: preset.name))


def presets() -> tuple[Preset, ...]:
    """Every preset of the library, by name."""
    return tuple(preset for task_id in tasks() for preset in task_presets(task_id))


def find_preset(name: str) -> Preset:
    """The built-in preset of that name. Raises LuthierError, with the nearest name."""
    return Library().find(name)


def check(preset: Preset) -> RunSpec:
    """Build a spec with the preset and stand-ins for model and data.

    Raises:
        LuthierError: the preset's settings cannot work; names the file and the setting.
    """
    task = find_task(preset.task)
    source = str(preset.path or preset.name)
    values = {name: dict(settings) for name, settings in preset.settings.items()}
    for section, key, stand_in in open_settings(task):
        values.setdefault(section, {}).setdefault(key, stand_in)
    return build_spec({"task": preset.task, **values}, source=source)


def open_settings(task: Task) -> Iterator[tuple[str, str, Any]]:
    """Section, key and a stand-in for every setting that a spec of the task must give."""
    for section, field in task.spec.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            for key, each in inner.model_fields.items():
                if each.is_required():
                    extra = each.json_schema_extra
                    example = extra.get("example") if isinstance(extra, dict) else None
                    yield section, key, example if example is not None else "something"


def _of_file(path: Path, file: PresetFile, *, own: bool) -> list[Preset]:
    fitting = [task for task in tasks().values() if file.specificity(task) is not None]
    return [_preset(path, file, task, own=own) for task in fitting]


def _preset(path: Path, file: PresetFile, task: Task, *, own: bool) -> Preset:
    told = file.model_dump(include={"title", "purpose", "trades", "sources", "suits", "quirks"})
    return Preset(
        name=f"{task.id}/{path.stem}",
        task=task.id,
        settings=file.settings_for(task),
        path=path,
        own=own,
        **told,
    )


def _accepted(preset: Preset) -> Preset | None:
    """A preset of many tasks as this one takes it: without the settings that it refuses.

    A micro-batch that is refused as too small is doubled, at the same effective batch.
    """
    while True:
        try:
            check(preset)
        except SpecError as error:
            told = " ".join(problem.message for problem in error.problems)
            refused = next((key for key in _settings(preset) if ".".join(key) in told), None)
            if refused is None:
                return None
            preset = _without(preset, *refused)
        else:
            return preset


def _settings(preset: Preset) -> list[tuple[str, str]]:
    return [(section, key) for section, values in preset.settings.items() for key in values]


def _without(preset: Preset, section: str, key: str) -> Preset:
    settings = {name: dict(values) for name, values in preset.settings.items()}
    inner = settings[section]
    passes = inner.get("gradient_accumulation_steps", 1)
    if key == "per_device_train_batch_size" and passes % 2 == 0:
        inner[key] *= 2
        inner["gradient_accumulation_steps"] = passes // 2
    else:
        del inner[key]
    return preset.model_copy(update={"settings": {k: v for k, v in settings.items() if v}})
