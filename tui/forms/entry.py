"""Values as people type and read them, and back."""

from __future__ import annotations

import re
from typing import Any

import yaml

from luthier.trainers.spec.yaml_loader import dump_yaml, load_yaml

from .fields import FormField

_EXPONENT = re.compile(r"e([-+])0*(\d)")
# Words in a comma-separated list need no quotes when they are made of these.
_SIMPLE = re.compile(r"[\w./:-]+")


def to_text(field: FormField, value: Any) -> str:
    """A value on one line; nothing is an empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, list) and field.kind in ("choices", "mixed", "list"):
        words = [str(item) for item in value]
        if all(map(_SIMPLE.fullmatch, words)) and (len(words) > 1 or field.kind != "mixed"):
            return ", ".join(words)
    if isinstance(value, list | dict):
        return "" if not value else dump_yaml(value, flow=True).replace("\n", " ")
    return str(value)


def from_text(field: FormField, text: str) -> Any:
    """The value that somebody means by ``text``; what makes no sense stays text, to be refused.

    A nothing is None where the field has one, else the field's default.
    """
    written = text.strip()
    if field.kind == "text" and not field.required:
        return None if field.nullable and not text else text
    if not written:
        return None if field.nullable else field.default
    if field.kind == "text":
        return text
    if field.kind == "switch":
        return {"true": True, "false": False}.get(written.lower(), written)
    if field.kind == "choice":
        return written
    if field.kind in ("choices", "list") or (field.kind == "mixed" and "," in written):
        return _words(written)
    if field.kind == "mixed" and written in field.choices:
        return written
    value = _yaml(written)
    if field.kind == "number":
        return value if _is_number(value) else written
    return [value] if field.kind == "mixed" and _is_number(value) else value


def to_lines(field: FormField, value: Any) -> str:
    """A value for a box of several lines: a list has one item a line, a mapping one key a line."""
    if value in (None, [], {}):
        return ""
    if field.kind == "list" and isinstance(value, list) and not any("\n" in str(v) for v in value):
        return "".join(f"{item}\n" for item in value)
    if isinstance(value, list | dict) and field.kind != "choices":
        return dump_yaml(value)
    return to_text(field, value)


def from_lines(field: FormField, text: str) -> Any:
    """The value that is written in a box of several lines."""
    if field.kind == "list":
        if text.lstrip().startswith(("- ", "[")):
            return _yaml(text)
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "mapping":
        return {} if not text.strip() else _yaml(text)
    return from_text(field, text.rstrip("\n"))


def number_text(value: float) -> str:
    """A number in its shortest form: ``2e-4`` instead of ``0.0002``, ``0.05``, ``3``."""
    plain = _EXPONENT.sub(r"e\1\2", repr(value)).replace("e+", "e").removesuffix(".0")
    if 0 < abs(value) < 0.01 and "e" not in plain:
        digits, _, exponent = f"{value:.15e}".partition("e")
        short = f"{float(digits):.12g}e{int(exponent)}"
        return short if float(short) == value and len(short) < len(plain) else plain
    return plain


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(text: str) -> Any:
    if text.startswith("["):
        return _yaml(text)
    return [_yaml(part.strip()) for part in text.split(",") if part.strip()]


def _yaml(text: str) -> Any:
    try:
        return load_yaml(text)
    except (yaml.YAMLError, ValueError):
        return text
