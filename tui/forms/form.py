"""One form being filled in: own values over a preset's over the defaults, checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from luthier.presets import Preset
from luthier.trainers.errors import SpecError
from luthier.trainers.registry import Task, find_task
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import KeyPath, build_spec

from .fields import FormField, form_fields

Source = Literal["default", "preset", "own"]


@dataclass(frozen=True)
class Change:
    """A setting that differs from its default."""

    field: FormField
    value: Any
    source: Source


@dataclass(frozen=True)
class Check:
    """Whether the form makes a spec.

    Attributes:
        spec: None when it does not.
        problems: one sentence for each field that is wrong, by key.
        other: sentences about no field in particular.
    """

    spec: RunSpec | None
    problems: dict[str, str] = field(default_factory=dict)
    other: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many things are wrong."""
        return len(self.problems) + len(self.other)


class Form:
    """The values of one run to be.

    Args:
        task_id: what is trained.

    Raises:
        LuthierError: there is no such task.
    """

    def __init__(self, task_id: str) -> None:
        self.task: Task = find_task(task_id)
        self.fields: tuple[FormField, ...] = form_fields(task_id)
        self.preset: Preset | None = None
        self._by_key = {field.key: field for field in self.fields}
        self._own: dict[str, Any] = {}
        self._preset: dict[str, Any] = {}

    def field(self, key: str) -> FormField:
        """The field of that key. Raises KeyError."""
        return self._by_key[key]

    # -- values ------------------------------------------------------------------------------

    def value(self, key: str) -> Any:
        """What holds now."""
        return self._own[key] if key in self._own else self.base(key)

    def has(self, key: str) -> bool:
        """Whether the task has that setting."""
        return key in self._by_key

    def value_if_any(self, key: str) -> Any:
        """What holds now; None for a setting that the task does not have."""
        return self.value(key) if self.has(key) else None

    def base(self, key: str) -> Any:
        """What holds unless the person says something else."""
        return self._preset[key] if key in self._preset else self._by_key[key].default

    def source(self, key: str) -> Source:
        """Where the value comes from."""
        if key in self._own:
            return "own"
        return "preset" if key in self._preset else "default"

    def own(self) -> dict[str, Any]:
        """The person's own choices by key, in the order of the form."""
        return {each.key: self._own[each.key] for each in self.fields if each.key in self._own}

    def own_values(self) -> dict[str, Any]:
        """The person's own choices as plain sections."""
        nested: dict[str, Any] = {}
        for key, value in self.own().items():
            _put(nested, key, value)
        return nested

    def set(self, key: str, value: Any) -> None:
        """Choose a value; one that holds anyway is no choice."""
        if _same(value, self.base(key)):
            self._own.pop(key, None)
        else:
            self._own[key] = value

    def reset(self, key: str) -> None:
        """Give a choice up."""
        self._own.pop(key, None)

    def use_preset(self, preset: Preset | None) -> None:
        """Put a preset, or none, below the person's own choices."""
        own = dict(self._own)
        self.preset = preset
        settings = _flat(preset.settings, self._by_key) if preset else {}
        self._preset = {key: value for key, value in settings.items() if key in self._by_key}
        self._own.clear()
        for key, value in own.items():
            self.set(key, value)

    def fill(self, values: Mapping[str, Any]) -> list[str]:
        """Choose the values of a spec's sections; returns the keys that the task does not know."""
        unknown = []
        for key, value in _flat(values, self._by_key).items():
            if key in self._by_key:
                self.set(key, value)
            elif key != "task":
                unknown.append(key)
        return unknown

    # -- what comes out ----------------------------------------------------------------------

    def values(self) -> dict[str, Any]:
        """The spec as plain sections, with only what is required or differs from the defaults."""
        nested: dict[str, Any] = {"task": self.task.id}
        for each in self.fields:
            value = self.value(each.key)
            if not _same(value, each.default):
                _put(nested, each.key, value)
        return nested

    def changes(self) -> list[Change]:
        """What differs from the defaults, in the order of the form."""
        return [
            Change(each, self.value(each.key), self.source(each.key))
            for each in self.fields
            if not _same(self.value(each.key), each.default)
        ]

    def complaint(self, key: str, value: Any) -> str:
        """What would be wrong at a field if it had this value; empty: nothing."""
        before = dict(self._own)
        self.set(key, value)
        try:
            return self.check().problems.get(key, "")
        finally:
            self._own = before

    def check(self) -> Check:
        """Build the spec, or say what is in the way."""
        values, problems = self.values(), {}
        for each in self.fields:
            if each.required and self.value(each.key) is None:
                problems[each.key] = f"{each.name} is missing"
                # Something has to stand there for the rest to be checked.
                _put(values, each.key, each.example or "something")
        # Each key stands on a line of its own, so that a problem's line tells the field.
        lines: dict[KeyPath, int] = {
            tuple(each.key.split(".")): number for number, each in enumerate(self.fields, start=1)
        }
        other = []
        try:
            spec = build_spec(values, source="form", lines=lines)
        except SpecError as error:
            for problem in error.problems:
                source, _, line = problem.where.rpartition(":")
                if source:
                    found = self.fields[int(line) - 1]
                    sentence = problem.message.removeprefix(f"{found.section}.")
                    problems.setdefault(found.key, sentence)
                else:
                    other.append(problem.message)
            return Check(None, problems, tuple(other))
        return Check(None if problems else spec, problems)


def _flat(
    values: Mapping[str, Any], known: Mapping[str, FormField], prefix: str = ""
) -> dict[str, Any]:
    """Sections as dotted keys; the value of a known key is left whole."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key not in known:
            found |= _flat(value, known, f"{key}.")
        else:
            found[key] = value
    return found


def _put(nested: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        nested = nested.setdefault(section, {})
    nested[name] = value


def _same(one: Any, other: Any) -> bool:
    """Equal, and neither true for 1 nor 1 for true."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
