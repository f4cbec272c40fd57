"""Reading the declarations of settings: levels, units, choices and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from luthier.trainers.spec.declarations import (
    alternatives,
    extra,
    literal_words,
    position,
    section_model,
)
from luthier.trainers.spec.reference import type_in_words


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
            unit=extra(field, "unit") or "",
            level=extra(field, "level") or "expert",
            group=extra(field, "group") or "",
        )


def in_order(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """The fields of a spec or section, the sections in the order in which people think."""
    return sorted(model.model_fields.items(), key=lambda entry: position(entry[0]))


def is_for_everybody(field: FieldInfo) -> bool:
    """Whether the setting, or anything in the section, is for beginners."""
    inner = section_model(field)
    if inner is None:
        return bool(extra(field, "level") == "beginner")
    return any(is_for_everybody(each) for each in inner.model_fields.values())


def choices(annotation: Any) -> tuple[str, ...]:
    """The words a setting takes, when it takes only certain ones."""
    found = []
    for part in alternatives(annotation):
        inner = get_args(part)[0] if get_origin(part) is list else part
        found.append(literal_words(inner))
    return found[0] if len(found) == 1 and len(found[0]) > 1 else ()
