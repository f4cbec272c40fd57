"""How the rows of a table are read and checked. Loads no library for training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..data.cells import MistakeError, is_blank, whole_characters
from ..data.columned import as_json
from ..data.problems import listed
from ..data.records import Cells, Record, label_of, number_of
from ..data.rules import RowRules
from ..data.table import where_all
from ..errors import Problem
from ..spec.tabular_sections import TabularSpec

_NAMED = 5
_SHOWN = 40
_HUGE = 1e37
# So few cells that are no numbers are more likely a mistake than a kind of their own.
_ODD_SHARE = 0.2


class TabularRules(RowRules[TabularSpec]):
    """One or several targets, and every other column to learn them from.

    A record's values are ``features`` (by column; None where a cell is empty) and ``label``
    (classes or numbers by column).
    """

    def __init__(self, spec: TabularSpec) -> None:
        super().__init__(spec)
        self.stratify = "label" if spec.task == "tabular-classification" else ""

    def read(self, cells: Cells) -> dict[str, Any]:
        read = number_of if self.spec.task == "tabular-regression" else label_of
        label = {name: read(cells.cell(name), name) for name in cells.columns("label")}
        return {"features": self.features(cells), "label": label}

    def features(self, cells: Cells) -> dict[str, Any]:
        """The columns that are learnt from."""
        data = self.spec.data
        apart = {
            *cells.columns("label"), *cells.columns("id"), *data.ignored_columns,
            data.weight_column,
        }  # fmt: skip
        names = cells.columns("features") or cells.all_columns
        return {name: _feature(cells.cell(name), name) for name in names if name not in apart}

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        train = splits["train"]
        columns = {name for record in train for name in record.values["features"]}
        if not columns:
            yield Problem("there is no column to learn from beside the target", "data.path")
        for key in ("categorical_columns", "numerical_columns"):
            for name in getattr(self.spec.data, key):
                if name not in columns:
                    known = listed(sorted(columns)[:_NAMED])
                    text = f"{name!r} is no column that is learnt from; those are {known}"
                    yield Problem(text, f"data.{key}")
        yield from self._targets(train)
        folds = self.spec.search.folds
        if len(train) < folds:
            text = f"{len(train)} training rows cannot be cut into {folds} folds; lower it"
            yield Problem(text, "training.folds")

    def _targets(self, train: Sequence[Record]) -> Iterator[Problem]:
        for name in train[0].values["label"]:
            counts = Counter(record.values["label"][name] for record in train)
            if len(counts) == 1:
                only = next(iter(counts))
                yield Problem(f"every row has {name} {only!r}, so nothing can be learnt", "train")
            elif self.spec.task == "tabular-classification":
                rare = [label for label, count in counts.items() if count < 2]
                if rare:
                    where = [r.where for r in train if r.values["label"][name] == rare[0]]
                    text = (
                        f"{name} {rare[0]!r} is a class of one row; add rows like it or take it out"
                    )
                    yield Problem(text, where[0])

    def warnings(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        train = splits["train"]
        for name in train[0].values["features"]:
            values = [record.values["features"].get(name) for record in train]
            known = [value for value in values if value is not None]
            if not known:
                yield Problem(f"{name} is empty in every row and is not learnt from", "train")
            elif len(set(map(str, known))) == 1 and len(known) == len(train):
                yield Problem(f"{name} is the same in every row and teaches nothing", "train")
            elif name not in self.spec.data.categorical_columns:
                yield from _nearly_numbers(name, train)
        yield from self._unknown_classes(splits)

    def _unknown_classes(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        if self.spec.task != "tabular-classification":
            return
        for name in splits["train"][0].values["label"]:
            known = {record.values["label"][name] for record in splits["train"]}
            for record in splits.get("validation", ()):
                label = record.values["label"][name]
                if label not in known:
                    text = f"{name} {label!r} is in no training row, so it can never be found"
                    yield Problem(text, record.where)
                    known.add(label)

    def classes(self, records: Sequence[Record]) -> dict[str, int]:
        if self.spec.task != "tabular-classification" or not records:
            return {}
        names = list(records[0].values["label"])
        prefix = len(names) > 1
        return dict(
            Counter(
                f"{name}={label}" if prefix else label
                for record in records
                for name, label in record.values["label"].items()
            )
        )

    def shown(self, record: Record) -> dict[str, Any]:
        return {"features": as_json(record.values["features"]), "label": record.values["label"]}

    def length(self, record: Record) -> int:
        return 0


def _nearly_numbers(name: str, train: Sequence[Record]) -> Iterator[Problem]:
    """A column of numbers but for a few cells, which make all of it words."""
    known = [r for r in train if r.values["features"].get(name) is not None]
    odd = [r for r in known if not _is_number(r.values["features"][name])]
    if odd and len(odd) <= _ODD_SHARE * len(known):
        example = str(odd[0].values["features"][name])[:_SHOWN]
        text = (
            f"{name} is a number in every other row, but {example!r} here, so the column "
            "counts as words; empty the cell where the number is not known"
        )
        yield Problem(text, where_all([record.where for record in odd]))


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _is_huge(value: Any) -> bool:
    """Whether models that reckon in single precision cannot hold a number."""
    try:
        number = float(value)
    except OverflowError:
        return True
    except (TypeError, ValueError):
        return False
    # As a word, inf is one.
    return abs(number) > _HUGE and not (isinstance(value, str) and math.isinf(number))


def _feature(value: Any, name: str) -> Any:
    """A cell as it is learnt from: a number, a word, or None. Raises MistakeError."""
    if is_blank(value):
        return None
    if isinstance(value, list | dict):
        raise MistakeError(f"{name} is a list or mapping; put it into columns of its own")
    if _is_huge(value):
        text = "is too large a number to learn from; divide the column or empty the cell"
        raise MistakeError(f"{name} {text}")
    if isinstance(value, str):
        return whole_characters(value, name)
    return value if isinstance(value, bool | int | float) else str(value)
