"""The columns as scikit-learn takes them: which are numbers, which are words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas
from pydantic import BaseModel

from ..spec.tabular_sections import TabularDataSection

# A column whose words are nearly all different, such as a name, says nothing about other rows.
_DISTINCT_SHARE = 0.9
_FEW = 20


class Features(BaseModel):
    """The columns that are learnt from, by kind, in the order of the table."""

    numbers: list[str]
    words: list[str]

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.numbers, *self.words]


@dataclass(frozen=True)
class Kinds:
    """The columns by kind, and those that are left out with the reason."""

    features: Features
    left_out: dict[str, str]


def find_kinds(rows: Sequence[Mapping[str, Any]], data: TabularDataSection) -> Kinds:
    """Look at the training rows: a column is one of numbers when every value can be read as one.

    Args:
        rows: cells by column, None where they are empty.
        data: may name the kinds of columns.
    """
    numbers: list[str] = []
    words: list[str] = []
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        known = [value for row in rows if (value := row.get(name)) is not None]
        distinct = len(set(map(str, known)))
        if not known:
            left_out[name] = "empty in every row"
        elif name in data.numerical_columns:
            numbers.append(name)
        elif name in data.categorical_columns:
            words.append(name)
        elif distinct == 1 and len(known) == len(rows):
            left_out[name] = "the same in every row"
        elif all(_number(value) is not None for value in known):
            numbers.append(name)
        elif distinct > _FEW and distinct > _DISTINCT_SHARE * len(known):
            left_out[name] = "different in nearly every row"
        else:
            words.append(name)
    return Kinds(Features(numbers=numbers, words=words), left_out)


def as_frame(rows: Sequence[Mapping[str, Any]], features: Features) -> pandas.DataFrame:
    """One column of floats or of words for each feature, with nan where a cell is empty."""
    columns: dict[str, Any] = {}
    for name in features.numbers:
        values = [_number(row.get(name)) for row in rows]
        columns[name] = pandas.array(
            [math.nan if value is None else value for value in values], dtype="float64"
        )
    for name in features.words:
        words = [math.nan if (value := row.get(name)) is None else str(value) for row in rows]
        columns[name] = pandas.Series(words, dtype=object)
    return pandas.DataFrame(columns, index=range(len(rows)))


def _number(value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
