"""The fields of a form, read from the declarations of a task's parameter model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from luthier.trainers.registry import find_task
from luthier.trainers.spec.declarations import (
    alternatives,
    extra,
    literal_words,
    position,
    section_model,
)
from luthier.trainers.spec.reference import type_in_words

Kind = Literal["text", "number", "switch", "choice", "choices", "list", "mapping", "mixed"]


@dataclass(frozen=True)
class FormField:
    """One setting of a spec as a form shows it.

    Attributes:
        key: dotted path in the spec, such as ``training.learning_rate``.
        heading: section and group that it stands under, such as ``training · optimizer``.
        kind: how it is edited. ``choices`` takes several of the choices; ``mixed`` is one of the
            choices or words or a list.
        takes: its type in plain words.
        choices: the words that it takes, when it takes only certain ones.
        nullable: whether nothing is a value.
        default: None also when it is required.
        unit: what a number counts.
        beginner: whether it is shown to everybody.
        example: a value to show where the default says little.
    """

    key: str
    heading: str
    kind: Kind
    takes: str
    choices: tuple[str, ...]
    nullable: bool
    default: Any
    required: bool
    meaning: str
    unit: str
    beginner: bool
    example: Any

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    @property
    def section(self) -> str:
        """The first part of the key; empty for settings that stand at the top of the spec."""
        return self.key.rpartition(".")[0]

    @property
    def long(self) -> bool:
        """Whether its value needs more than a line to be edited."""
        return self.kind in ("list", "mapping")


@cache
def form_fields(task_id: str) -> tuple[FormField, ...]:
    """The fields of a task's form in the order in which people think. Raises LuthierError."""
    found = [field for field in _fields(find_task(task_id).spec) if field.key != "task"]
    return tuple(sorted(found, key=lambda field: position(field.key.partition(".")[0])))


def _fields(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[FormField]:
    grouped: dict[str, list[tuple[str, FieldInfo]]] = {}
    for name, info in model.model_fields.items():
        grouped.setdefault(extra(info, "group") or "", []).append((name, info))
    for name, info in (entry for group in grouped.values() for entry in group):
        inner = section_model(info)
        if inner is not None:
            yield from _fields(inner, (*path, name))
        else:
            yield _field(info, (*path, name))


def _field(info: FieldInfo, path: tuple[str, ...]) -> FormField:
    kind, choices, nullable = _shape(info.annotation)
    required = info.is_required()
    headings = ["run"] if len(path) == 1 else list(path[:-1])
    return FormField(
        key=".".join(path),
        heading=" · ".join(filter(None, [*headings, extra(info, "group")])),
        kind=kind,
        takes=type_in_words(info.annotation).replace("`", ""),
        choices=choices,
        nullable=nullable,
        default=None if required else info.get_default(call_default_factory=True),
        required=required,
        meaning=info.description or "",
        unit=extra(info, "unit") or "",
        beginner=extra(info, "level") == "beginner",
        example=extra(info, "example"),
    )


def _shape(annotation: Any) -> tuple[Kind, tuple[str, ...], bool]:
    """How a type is edited, the words it takes, and whether nothing is a value."""
    parts = alternatives(annotation)
    nullable = type(None) in get_args(annotation)
    words = tuple(word for part in parts for word in literal_words(part))
    if len(parts) > 1:
        return "mixed", words, nullable
    (only,) = parts
    origin = get_origin(only)
    if origin is Literal:
        return "choice", words, nullable
    if origin is list:
        inner = literal_words(get_args(only)[0])
        return ("choices", inner, nullable) if inner else ("list", (), nullable)
    if origin is dict:
        return "mapping", (), nullable
    if only is bool:
        return "switch", ("true", "false"), nullable
    return ("number" if only in (int, float) else "text"), (), nullable
