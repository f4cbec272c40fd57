"""Reading the declarations of settings: levels, units, choices and defaults."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from luthier.trainers.spec.reference import type_in_words

# What a person fills in first stands first; sections that a task adds follow.
_ORDER = ("task", "name", "model", "data", "training", "peft", "evaluation", "launch", "output")


@dataclass(frozen=True)
class Setting:
    """One setting of a spec, by its dotted key."""

    key: str
    type: str
    default: Any
    required: bool
    meaning: str
    unit: str
    level: str
    group: str


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """Every setting below ``model``, sections opened."""
    for name, field in in_order(model):
        inner = section_model(field)
        if inner is not None:
            yield from settings(inner, f"{prefix}{name}.")
            continue
        required = field.is_required()
        yield Setting(
            key=f"{prefix}{name}",
            type=type_in_words(field.annotation).replace("`", ""),
            default=None if required else field.get_default(call_default_factory=True),
            required=required,
            meaning=field.description or "",
            unit=extra(field, "unit"),
            level=extra(field, "level") or "expert",
            group=extra(field, "group"),
        )


def in_order(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """The fields of a spec or section, the sections in the order in which people think."""

    def position(entry: tuple[str, FieldInfo]) -> int:
        return _ORDER.index(entry[0]) if entry[0] in _ORDER else len(_ORDER)

    return sorted(model.model_fields.items(), key=position)


def section_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a section, else None."""
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def is_for_everybody(field: FieldInfo) -> bool:
    """Whether the setting, or anything in the section, is for beginners."""
    inner = section_model(field)
    if inner is None:
        return bool(extra(field, "level") == "beginner")
    return any(is_for_everybody(each) for each in inner.model_fields.values())


def extra(field: FieldInfo, key: str) -> Any:
    """What the declaration says under ``key``; an empty text when it says nothing."""
    declared = field.json_schema_extra
    return declared.get(key, "") if isinstance(declared, dict) else ""


def choices(annotation: Any) -> list[str]:
    """The words a setting takes, when it takes only certain ones."""
    if get_origin(annotation) is Literal:
        words = get_args(annotation)
        return [str(word) for word in words] if len(words) > 1 else []
    if get_origin(annotation) is list or _is_union(annotation):
        found = [choices(part) for part in get_args(annotation) if part is not type(None)]
        return found[0] if len(found) == 1 else []
    return []


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)
