"""Reading what the declarations of settings say: sections, order, levels, units, choices."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

# What a person fills in first stands first; sections that a task adds follow.
_ORDER = ("task", "name", "model", "data", "training", "peft", "evaluation", "launch", "output")


def position(name: str) -> int:
    """The place of a section or plain setting among those at the top of a spec."""
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def section_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a section, else None."""
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def extra(field: FieldInfo, key: str) -> Any:
    """What the declaration says under ``key``; None when it says nothing."""
    declared = field.json_schema_extra
    return declared.get(key) if isinstance(declared, dict) else None


def alternatives(annotation: Any) -> list[Any]:
    """The types that a setting takes, "nothing" left out."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for part in get_args(annotation) if part is not type(None)]
    return [annotation]


def literal_words(annotation: Any) -> tuple[str, ...]:
    """The words of a Literal; none for any other type."""
    if get_origin(annotation) is not Literal:
        return ()
    return tuple(str(word) for word in get_args(annotation))
