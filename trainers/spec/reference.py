"""The run spec reference, made from the declarations (``python -m`` this module prints it)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..registry import Task, tasks
from .declarations import position
from .parameter import Section

_INTRODUCTION = """\
# Run specs

Made from the code by `make docs`; do not edit.

A spec is a YAML file that says everything about one run. Only `task`, `model.name_or_path` and
`data.path` must be there; every other setting has the default shown. An unknown key is an error
that names the nearest known one. `yes`, `no`, `on` and `off` are words, not booleans, and `3e-5`
is a number. Settings marked · matter to everybody; the others are for those who look for them.

`luthier init TASK` writes a commented spec, `luthier validate SPEC` checks one, and
`--set section.key=value` changes a setting for one run.
"""


def markdown() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    entries = list(tasks().values())
    shared = [name for name in sections(entries[0]) if _same_everywhere(name, entries)]
    parts.extend(_tasks(entries))
    for name in shared:
        parts.extend(_section(name, sections(entries[0])[name]))
    for entry in entries:
        for name, section in sections(entry).items():
            if name not in shared:
                parts.extend(_section(name, section, entry.id))
    return "\n".join(parts)


def sections(task: Task) -> dict[str, type[Section]]:
    """The sections of a task's spec by name, in the order of the spec."""
    found: dict[str, type[Section]] = {}
    for name, field in task.spec.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found[name] = field.annotation
    return dict(sorted(found.items(), key=lambda item: position(item[0])))


def type_in_words(annotation: Any) -> str:
    """A type as a person would say it, such as "whole number or nothing"."""
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin is list:
        return f"list of {type_in_words(get_args(annotation)[0])}"
    if origin is dict:
        return "mapping"
    if origin is Union or type(annotation).__name__ == "UnionType":
        return " or ".join(type_in_words(part) for part in get_args(annotation))
    words = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return words.get(annotation, "nothing" if annotation is type(None) else "any value")


def default_in_words(field: FieldInfo) -> str:
    """The default as it would stand in YAML; "required" when there is none."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    return "`null`" if value is None else f"`{json.dumps(value)}`"


def _same_everywhere(name: str, entries: list[Task]) -> bool:
    return len({sections(entry).get(name) for entry in entries}) == 1


def _tasks(entries: list[Task]) -> Iterator[str]:
    yield "## Top level\n"
    yield "- `task`: what is trained, one of the ids below."
    yield "- `name`: a name to recognise the run by; silent: made from the model and data.\n"
    for entry in entries:
        columns = ", ".join(f"`{column.role}`" for column in entry.columns)
        yield f"- `{entry.id}` · {entry.title}: {entry.sentence} Columns: {columns}."
    yield ""


def _section(name: str, section: type[Section], task: str = "") -> Iterator[str]:
    yield f"## {name} ({task})\n" if task else f"## {name}\n"
    yield f"{(section.__doc__ or '').strip()}\n"
    yield "| setting | takes | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in section.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        mark = " ·" if extra.get("level") == "beginner" else ""
        unit = f", {extra['unit']}" if extra.get("unit") else ""
        takes = type_in_words(field.annotation) + unit
        yield f"| `{key}`{mark} | {takes} | {default_in_words(field)} | {field.description} |"
    yield ""


if __name__ == "__main__":
    print(markdown(), end="")
