"""Saved setups: spec files in ``setups/`` of the home, complete or not, and what was used last.

A setup is a spec like any other: once it names a model and data, ``luthier run`` takes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError, Problem, SpecError
from luthier.trainers.registry import tasks
from luthier.trainers.spec.file import parse_spec
from luthier.trainers.spec.yaml_loader import dump_yaml, load_yaml

from .forms.fields import form_fields

_LONGEST_NAME = 80
_LAST = ".last.yaml"
# Stands for what a setup leaves open, so that everything else in it can be checked.
_OPEN = "open"


@dataclass(frozen=True)
class Setup:
    """One saved setup.

    Attributes:
        task: empty when the file does not say one that is known.
        description: the comment at its beginning.
        modified: Unix seconds.
    """

    name: str
    path: Path
    text: str
    task: str
    description: str
    modified: float


@dataclass(frozen=True)
class LastUsed:
    """The form as it was left.

    Attributes:
        values: the spec's sections.
        preset: name of the preset below the values; empty: none.
        setup: name of the setup that was loaded or saved; empty: none.
        expert: whether all settings were shown.
    """

    task: str
    values: dict[str, Any] = field(default_factory=dict)
    preset: str = ""
    setup: str = ""
    expert: bool = False


class Setups:
    """The setups of one home."""

    def __init__(self, home: Home) -> None:
        self.folder = home.path / "setups"

    def all(self) -> list[Setup]:
        """Every setup by name. Raises LuthierError when the folder cannot be read."""
        try:
            files = sorted(self.folder.glob("*.yaml")) if self.folder.is_dir() else []
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        return [self._read(path) for path in files if not path.name.startswith(".")]

    def get(self, name: str) -> Setup:
        """The setup of that name. Raises LuthierError when there is none."""
        path = self._path(name)
        if not path.exists():
            raise LuthierError(f"There is no setup {name!r}.", hint=f"They lie in {self.folder}.")
        return self._read(path)

    def save(self, name: str, text: str, *, replace: bool = False) -> Setup:
        """Write a setup.

        Raises:
            LuthierError: the name will not do, is taken, or the file cannot be written.
        """
        path = self._path(name)
        if path.exists() and not replace:
            raise LuthierError(f"There is a setup {name!r} already.", hint="Choose another name.")
        _write(path, text)
        return self._read(path)

    def rename(self, name: str, new: str) -> Setup:
        """Give a setup another name. Raises LuthierError like save and get."""
        self.get(name)
        path = self._path(new)
        if path.exists():
            raise LuthierError(f"There is a setup {new!r} already.", hint="Choose another name.")
        try:
            self._path(name).rename(path)
        except OSError as error:
            raise LuthierError(f"{path}: {error.strerror or error}.") from error
        return self._read(path)

    def delete(self, name: str) -> None:
        """Delete a setup. Raises LuthierError when there is none."""
        try:
            self._path(name).unlink()
        except OSError as error:
            raise LuthierError(f"{self._path(name)}: {error.strerror or error}.") from error

    def free_name(self, wish: str) -> str:
        """``wish``, or with a number behind it when that is taken."""
        wish = wish.replace("/", "-").lstrip(".").strip() or "setup"
        name, number = wish[:_LONGEST_NAME], 2
        while self._path(name).exists():
            name, number = f"{wish[: _LONGEST_NAME - 4]} {number}", number + 1
        return name

    # -- what was used last ------------------------------------------------------------------

    def remember(self, last: LastUsed) -> None:
        """Keep the form for the next time. Raises LuthierError when it cannot be written."""
        _write(self.folder / _LAST, dump_yaml(last.__dict__))

    def last(self) -> LastUsed | None:
        """The form as it was left; None when there is nothing, or its task is gone.

        Raises:
            LuthierError: the file is damaged.
        """
        path = self.folder / _LAST
        if not path.exists():
            return None
        try:
            last = LastUsed(**load_yaml(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise _unreadable(path, error) from error
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise LuthierError(f"{path} is damaged.", hint="Delete it.") from error
        return last if last.task in tasks() else None

    def complaint(self, name: str) -> str:
        """What is wrong with a name; empty: nothing."""
        try:
            self._path(name)
        except LuthierError as error:
            return str(error)
        return ""

    def _path(self, name: str) -> Path:
        wrong = not name.strip() or name != name.strip() or "/" in name or name.startswith(".")
        if wrong or not name.isprintable() or len(os.fsencode(name)) > _LONGEST_NAME:
            raise LuthierError(
                f"{name!r} will not do as a name.",
                hint=f"Use up to {_LONGEST_NAME} characters, no slash, and no dot in front.",
            )
        return self.folder / f"{name}.yaml"

    def _read(self, path: Path) -> Setup:
        try:
            text = path.read_text(encoding="utf-8")
            modified = path.stat().st_mtime
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, error) from error
        task = _mapping(text).get("task")
        return Setup(
            name=path.stem,
            path=path,
            text=text,
            task=task if isinstance(task, str) and task in tasks() else "",
            description=_comment(text),
            modified=modified,
        )


def values_of(setup: Setup) -> dict[str, Any]:
    """The sections of a setup. Raises LuthierError when it is no spec of a known task."""
    if not setup.task:
        first = next(iter(complaints(setup.text, setup.name)), None)
        raise LuthierError(f"The setup {setup.name!r} cannot be used: {first or 'it is empty'}.")
    return _mapping(setup.text)


def complaints(text: str, source: str = "setup") -> list[Problem]:
    """What is wrong in a setup. That model or data are left open is not."""
    values = _mapping(text)
    task = values.get("task")
    left_open = []
    if isinstance(task, str) and task in tasks():
        required = [each for each in form_fields(task) if each.required]
        left_open = [each.key for each in required if _is_open(values, each.key)]
    try:
        parse_spec(text, source=source, overrides=[f"{key}={_OPEN}" for key in left_open])
    except SpecError as error:
        return error.problems
    except LuthierError as error:
        return [Problem(str(error), source)]
    return []


def _is_open(values: Mapping[str, Any], key: str) -> bool:
    """Whether the text says nothing at the key, with nothing wrong on the way there."""
    section, _, name = key.rpartition(".")
    inner = values.get(section) if section else values
    return inner is None or (isinstance(inner, Mapping) and inner.get(name) is None)


def _mapping(text: str) -> dict[str, Any]:
    """The values in the text; empty when it is no mapping, which ``complaints`` explains."""
    try:
        found = load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _comment(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return " ".join(lines).strip()


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise LuthierError(f"{path}: cannot be written: {error.strerror or error}.") from error


def _unreadable(path: Path, error: Exception) -> LuthierError:
    reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
    return LuthierError(f"{path} cannot be read: {reason or error}.")
