"""Rows of tables by the parts that their columns play, and how single cells are read."""

from __future__ import annotations

import ast
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .cells import (
    EmptyCellError,
    MistakeError,
    is_blank,
    is_null,
    kind_of,
    load_json,
    whole_characters,
)
from .table import Row


@dataclass
class Record:
    """One row as its task reads it.

    Attributes:
        values: what each part holds, by role.
        where: the row's place in its file, for error texts.
        weight: how much it counts in the loss.
    """

    values: dict[str, Any]
    where: str
    weight: float = 1.0


@dataclass
class Records:
    """The rows of a split, with those that gave none.

    Attributes:
        records: in the order of the rows.
        empty: what is empty, and the places of those rows.
        wrong: what is wrong, and the places of those rows.
    """

    records: list[Record] = field(default_factory=list)
    empty: dict[str, list[str]] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=dict)


class Cells:
    """The cells of one row, asked for by role.

    Every method raises EmptyCellError where a cell holds nothing, and MistakeError where it holds
    something else than is asked for; both name the column.

    Args:
        row: the row of the table.
        parts: which column plays which part; several columns are joined by commas.
        folder: from where files that cells name are looked up.
    """

    def __init__(self, row: Row, parts: Mapping[str, str], folder: Path | None = None) -> None:
        self._row = row
        self._parts = parts
        self._folder = folder

    def holding(self, role: str, value: Any) -> Cells:
        """The same row with that value in the role's column: one of a list that it holds."""
        return Cells({**self._row, self.name(role): value}, self._parts, self._folder)

    def has(self, role: str) -> bool:
        """Whether the row holds anything for the role."""
        return any(not is_blank(self._row.get(name)) for name in self.columns(role))

    def columns(self, role: str) -> list[str]:
        """The columns of the role; none when no column plays it."""
        return split_columns(self._parts.get(role, ""), self._row)

    def value(self, role: str) -> Any:
        """Whatever the role's one column holds."""
        name = self.name(role)
        if is_blank(self._row.get(name)):
            raise EmptyCellError(f"{name} is empty")
        return self._row[name]

    def cell(self, name: str) -> Any:
        """Whatever the column of that name holds, None included."""
        return self._row.get(name)

    @property
    def all_columns(self) -> list[str]:
        """Every column of the row."""
        return list(self._row)

    def name(self, role: str) -> str:
        """The name of the role's column, for sentences."""
        return next(iter(self.columns(role)), role)

    def text(self, role: str) -> str:
        """A text; numbers are written plainly."""
        value, name = self.value(role), self.name(role)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise MistakeError(f"{name} is {kind_of(value)}, not text")
        return whole_characters(value if isinstance(value, str) else str(value), name)

    def label(self, role: str) -> str:
        """The name of a class: a text, a number or true/false."""
        return label_of(self.value(role), self.name(role))

    def number(self, role: str) -> float:
        """A finite number, also one written as text."""
        return number_of(self.value(role), self.name(role))

    def numbers(self, role: str) -> dict[str, float]:
        """The number in each of the role's columns, or in a list of them, by name."""
        names = self.columns(role)
        if len(names) == 1:
            value = parsed(self.value(role), names[0])
            if isinstance(value, list):
                if not value:
                    raise EmptyCellError(f"{names[0]} is empty")
                return {str(place): number_of(cell, names[0]) for place, cell in enumerate(value)}
        for name in names:
            if is_blank(self._row.get(name)):
                raise EmptyCellError(f"{name} is empty")
        return {name: number_of(self._row[name], name) for name in names}

    def items(self, role: str) -> list[Any]:
        """A list, also one written as JSON or as Python writes it."""
        name = self.name(role)
        value = parsed(self.value(role), name)
        if not isinstance(value, list):
            raise MistakeError(f'{name} is {kind_of(value)}, not a list such as ["a", "b"]')
        if not value:
            raise EmptyCellError(f"{name} is empty")
        return value

    def mapping(self, role: str) -> dict[str, Any]:
        """A mapping, also one written as JSON or as Python writes it."""
        name = self.name(role)
        value = parsed(self.value(role), name)
        if not isinstance(value, dict):
            raise MistakeError(f"{name} is {kind_of(value)}, not a mapping")
        return value

    def file(self, role: str) -> Path:
        """A file that the cell names, looked up from the table's folder."""
        value, name = self.value(role), self.name(role)
        if isinstance(value, dict) and value.get("path"):
            value = value["path"]
        if not isinstance(value, str):
            raise MistakeError(f"{name} is {kind_of(value)}, not the name of a file")
        # Unlike Path.expanduser it leaves the home of a person whom nobody knows alone.
        path = Path(os.path.expanduser(value))
        if not path.is_absolute() and self._folder is not None:
            path = self._folder / path
        if not _is_file(path):
            raise MistakeError(f"{name} names {_shown(value)}, and there is no such file")
        return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # Too long for a name.
        return False


def split_columns(text: str, row: Mapping[str, Any]) -> list[str]:
    """The columns that a part's text names: one, or several with commas between them."""
    if not text or text in row:
        return [text] if text else []
    return [name.strip() for name in text.split(",") if name.strip()]


def parsed(value: Any, name: str) -> Any:
    """The list or mapping that a text holds; anything else as it is. Raises MistakeError."""
    if not isinstance(value, str) or value.strip()[:1] not in ("[", "{"):
        return value
    try:
        return load_json(value)
    except (json.JSONDecodeError, RecursionError):
        pass
    try:
        # How Python writes lists, and so how many a csv file holds them. Only literals are read.
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise MistakeError(f"{name} is not a list or mapping in JSON") from error


def number_of(value: Any, name: str) -> float:
    """The number. Raises EmptyCellError or MistakeError."""
    if is_blank(value):
        raise EmptyCellError(f"{name} is empty")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise MistakeError(f"{name} is {_shown(value)}, not a number")
    return number


def label_of(value: Any, name: str) -> str:
    """The name of a class. Raises EmptyCellError or MistakeError."""
    if is_blank(value):
        raise EmptyCellError(f"{name} is empty")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | dict):
        raise MistakeError(f"{name} is {kind_of(value)}, not one label")
    return whole_characters(str(value).strip(), name)


def _shown(value: Any) -> str:
    if is_null(value):
        return "empty"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
