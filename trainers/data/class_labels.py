"""Names of classes that a dataset keeps beside its rows, whose cells have numbers only.

The datasets library writes the types of columns as JSON into the schema of parquet and arrow
files, under the key ``huggingface``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .table import Row

Name = Callable[[Any], Any]


def features_of(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    """The columns' types in a file's schema; empty where the library did not write it."""
    try:
        told = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        features = told.get("info", {}).get("features", {})
    except (ValueError, AttributeError):
        # Somebody else's metadata under that key says nothing about classes.
        return {}
    return features if isinstance(features, dict) else {}


def name_classes(rows: Iterable[Row], features: Mapping[str, Any]) -> None:
    """Put the names of classes in the place of their numbers; -1, no class, becomes nothing.

    Args:
        rows: changed in place.
        features: the columns' types, as ``datasets.Features.to_dict`` has them.
    """
    naming = {column: name for column, kind in features.items() if (name := _naming(kind))}
    if not naming:
        return
    for row in rows:
        for column, name in naming.items():
            if column in row:
                row[column] = name(row[column])


def _naming(kind: Any) -> Name | None:
    """What names the classes in a value of that type; None when it has none."""
    if not isinstance(kind, dict):
        return None
    if kind.get("_type") == "ClassLabel":
        return _of_class(kind["names"]) if kind.get("names") else None
    if "feature" in kind:
        inner = _naming(kind["feature"])
        return None if inner is None else _each(inner)
    if "_type" in kind:
        return None
    parts = {key: name for key, part in kind.items() if (name := _naming(part))}
    return _of_parts(parts) if parts else None


def _of_class(names: list[str]) -> Name:
    def name(value: Any) -> Any:
        if not isinstance(value, int):
            return value
        return names[value] if 0 <= value < len(names) else None

    return name


def _each(name: Name) -> Name:
    def name_all(values: Any) -> Any:
        # A list of mappings is kept as a mapping of lists by older versions of the library.
        if isinstance(values, dict):
            return name(values)
        return [name(value) for value in values] if isinstance(values, list) else values

    return name_all


def _of_parts(parts: Mapping[str, Name]) -> Name:
    def name(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        named = dict(value)
        for key, of_part in parts.items():
            part = named.get(key)
            named[key] = (
                [of_part(each) for each in part] if isinstance(part, list) else of_part(part)
            )
        return named

    return name
