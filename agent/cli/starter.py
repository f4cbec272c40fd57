"""A commented spec to start from, written from the declarations of a task's settings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from luthier.presets import Preset
from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import Task
from luthier.trainers.spec.declarations import extra, section_model
from luthier.trainers.spec.file import build_spec

from .fields import choices, in_order, is_for_everybody

_WIDTH = 96


def starter_values(task: Task) -> dict[str, Any]:
    """The smallest spec of the task: only what has no default."""
    return {"task": task.id, **_required(task.spec, task)}


SAMPLE_ORIGIN = (
    "A quick test on sample data with a tiny random model: it shows that everything works, not "
    "what a real model can do."
)


def starter_spec(
    task: Task,
    preset: Preset | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
    origin: str = "Everything is default.",
) -> str:
    """YAML text of a spec in which every setting is written out.

    Settings for everybody stand as they are, each with its help, and so do those that the preset
    or the sample sets; the others are commented out as ``#key: value``, so that deleting the
    ``#`` is enough to change one.

    Args:
        task: what is trained.
        preset: what to start from.
        changes: ``section.key`` settings instead of the defaults, when there is no preset.
        origin: where the changes come from, a sentence.

    Raises:
        SpecError: the changes cannot work.
    """
    values = starter_values(task)
    if preset:
        spec = preset.apply(values)
        origin = f"Preset {preset.name}: {preset.description}"
    else:
        spec = build_spec(_changed(values, changes or {}))
    lines = [
        f"# {task.title}. {task.sentence}",
        *_comment(origin, ""),
        "#",
        "# A line such as #key: value is a setting that few people change; delete its # to change",
        "# it. Check the file with: luthier validate FILE, start it with: luthier run FILE.",
        "#",
        *_columns(task),
        "",
        *_settings(spec, build_spec(values), "", None),
    ]
    return "\n".join(lines) + "\n"


def spec_file(task: Task, output: Path | None, *, force: bool) -> Path | None:
    """Where a spec is to be written: what was asked for, or TASK.yaml; None: standard output.

    Raises:
        LuthierError: there is such a file already.
    """
    if str(output) == "-":
        return None
    file = output or Path(f"{task.id}.yaml")
    if file.exists() and not force:
        raise LuthierError(f"{file} exists already.", hint="Choose --output or --force.")
    return file


def _changed(values: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {
        name: dict(part) if isinstance(part, dict) else part for name, part in values.items()
    }
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if name:
            changed.setdefault(section, {})[name] = value
        else:
            changed[section] = value
    return changed


def _required(model: type[BaseModel], task: Task) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = section_model(field)
        if field.is_required() and inner is not None:
            values[name] = _required(inner, task)
        elif field.is_required() and name == "name_or_path":
            values[name] = task.default_model
        elif field.is_required():
            values[name] = extra(field, "example")
    return values


def _columns(task: Task) -> Iterator[str]:
    yield "# The rows of the data have:"
    for column in task.columns:
        needed = "" if column.required else " (optional)"
        yield f"#   - {column.role}{needed}, {column.type}, such as {column.example!r}"
    for note in task.notes:
        yield from _comment(note, "")


def _settings(
    values: BaseModel, defaults: BaseModel, indent: str, hidden_at: int | None
) -> Iterator[str]:
    """The lines of a section.

    Args:
        defaults: the same section with nothing set; what differs is always shown.
        indent: white space before its keys.
        hidden_at: column of the # when the whole section is commented out.
    """
    fields = in_order(type(values))
    shown = [
        (name, field)
        for name, field in fields
        if hidden_at is None
        and (is_for_everybody(field) or getattr(values, name) != getattr(defaults, name))
    ]
    hidden = [entry for entry in fields if entry not in shown]
    for name, field in shown:
        yield from _entry(name, field, values, defaults, indent, None)
    column = len(indent) if hidden_at is None else hidden_at
    for group, members in _grouped(hidden):
        if indent and hidden_at is None:
            yield from ("", f"{indent}# -- {group or 'more'} --")
        for name, field in members:
            yield from _entry(name, field, values, defaults, indent, column)


def _entry(
    name: str,
    field: FieldInfo,
    values: BaseModel,
    defaults: BaseModel,
    indent: str,
    hidden_at: int | None,
) -> Iterator[str]:
    """One setting with its help, or a section with all of its settings."""
    value = getattr(values, name)
    section = isinstance(value, BaseModel)
    if section:
        yield ""
    yield from _comment(_help(field), indent)
    text = f"{name}:" if section else f"{name}: {_yaml(value)}"
    if hidden_at is None:
        yield f"{indent}{text}"
    else:
        yield " " * hidden_at + "#" + " " * (len(indent) - hidden_at) + text
    if isinstance(value, BaseModel):
        yield from _settings(value, getattr(defaults, name), indent + "  ", hidden_at)


def _grouped(
    fields: Iterable[tuple[str, FieldInfo]],
) -> Iterable[tuple[str, list[tuple[str, FieldInfo]]]]:
    groups: dict[str, list[tuple[str, FieldInfo]]] = {}
    for name, field in fields:
        groups.setdefault(extra(field, "group") or "", []).append((name, field))
    return groups.items()


def _help(field: FieldInfo) -> str:
    parts = [field.description or ""]
    if unit := extra(field, "unit"):
        parts.append(f"[{unit}]")
    if known := choices(field.annotation):
        parts.append(f"One of {', '.join(known)}.")
    return " ".join(parts)


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH - len(indent), break_on_hyphens=False):
        yield f"{indent}# {line}"


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=float("inf")
    )
    return text.removesuffix("\n").removesuffix("\n...")
