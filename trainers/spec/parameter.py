"""How one setting is declared: default, help, unit and who needs to see it.

Forms, command-line help, the API schema and the reference pages are generated from
these declarations.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Level = Literal["beginner", "expert"]


class Section(BaseModel):
    """A part of a run spec. Unknown keys are errors, so a misspelt setting is never ignored."""

    model_config = ConfigDict(extra="forbid", validate_default=True, protected_namespaces=())


def parameter(
    default: Any = ...,
    meaning: str = "",
    *,
    unit: str = "",
    level: Level = "expert",
    group: str = "",
    example: Any = None,
    **constraints: Any,
) -> Any:
    """Declare one setting of a section.

    Args:
        default: the value when the spec is silent; ``...`` makes the setting required.
        meaning: one or two plain sentences: what it does and when to change it.
        unit: what a number counts, such as "tokens", "steps", "seconds", "GiB".
        level: "beginner" settings are shown to everybody, "expert" ones on request.
        group: the heading under which forms and reference pages put it.
        example: a value to show where the default says little.
        constraints: pydantic's (``ge``, ``le``, ``gt``, ``min_length``, ...).
    """
    extra = {"level": level, "unit": unit, "group": group, "example": example}
    shown = {key: value for key, value in extra.items() if value not in ("", None)}
    if default is not ... and isinstance(default, list | dict):
        constraints["default_factory"] = default.copy
    else:
        constraints["default"] = default
    return Field(description=meaning, json_schema_extra=shown, **constraints)


def with_default(section: type[Section], name: str, default: Any) -> Any:
    """A setting of another section, declared again with another default."""
    field = section.model_fields[name]
    again = copy(field)
    again.default = default
    return again


def conflict(key: str, message: str) -> PydanticCustomError:
    """An error about a combination of settings, reported at ``key`` (dotted path) of the spec."""
    return PydanticCustomError("conflict", "{message}", {"message": message, "key": key})
