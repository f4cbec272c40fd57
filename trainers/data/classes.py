"""Rows that are put into classes, or that have numbers to predict: what every such task checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ..errors import Problem
from .problems import listed
from .records import Cells, Record, label_of, number_of, parsed
from .rules import RowRules, S
from .table import where_all


class ClassRules(RowRules[S]):
    """Rows with one class each, or with any number of labels.

    ``values[role]`` is a list of names. The rows have any number of labels when their cells are
    lists, or when several columns of 0 and 1 play the part.
    """

    role = "label"
    stratify = "label"

    def read_labels(self, cells: Cells) -> dict[str, object]:
        """The part of ``read`` about the classes. Raises EmptyCellError or MistakeError."""
        names = cells.columns(self.role)
        if len(names) > 1:
            marks = cells.numbers(self.role)
            return {self.role: [name for name, mark in marks.items() if mark], "several": True}
        value = parsed(cells.value(self.role), cells.name(self.role))
        if isinstance(value, list):
            labels = [label_of(item, cells.name(self.role)) for item in value]
            return {self.role: list(dict.fromkeys(labels)), "several": True}
        return {self.role: [label_of(value, cells.name(self.role))], "several": False}

    def several(self, records: Sequence[Record]) -> bool:
        """Whether rows have any number of labels."""
        return any(record.values["several"] for record in records)

    def classes(self, records: Sequence[Record]) -> dict[str, int]:
        counts = Counter(label for record in records for label in record.values[self.role])
        return dict(counts)

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        every = [record for records in splits.values() for record in records]
        if self.several(every):
            single = [record.where for record in every if not record.values["several"]]
            if single:
                text = "has one label where other rows have a list; write a list in every row"
                yield Problem(text, where_all(single))
        yield from single_class(self.classes(splits["train"]))
        yield from unknown_classes(splits, self.role)

    def warnings(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        yield from rare_classes(splits["train"], self.role)

    def shown(self, record: Record) -> dict[str, object]:
        several = record.values["several"]
        labels = record.values[self.role]
        plain = {key: value for key, value in record.values.items() if key != "several"}
        return {**plain, self.role: labels if several else labels[0]}


def single_class(counts: Mapping[str, int]) -> Iterator[Problem]:
    """Rows that all have the same class."""
    if len(counts) == 1:
        (only,) = counts
        yield Problem(f"every row has the label {only!r}; there is nothing to tell apart", "data")
    if not counts:
        yield Problem("no row has any label", "data")


def unknown_classes(splits: Mapping[str, Sequence[Record]], role: str) -> Iterator[Problem]:
    """Classes that are measured but never trained on."""
    known = {label for record in splits["train"] for label in record.values[role]}
    found: dict[str, list[str]] = {}
    for record in splits.get("validation", ()):
        for label in record.values[role]:
            if label not in known:
                found.setdefault(label, []).append(record.where)
    for label, places in found.items():
        text = f"has the label {label!r}, which no training row has (they have {listed(known)})"
        yield Problem(text, where_all(list(dict.fromkeys(places))))


def rare_classes(records: Sequence[Record], role: str) -> Iterator[Problem]:
    """Classes with a single row, which cannot be both learnt and measured."""
    counts = Counter(label for record in records for label in record.values[role])
    for label, count in counts.items():
        if count == 1:
            where = next(r.where for r in records if label in r.values[role])
            yield Problem(f"is the only row with the label {label!r}; more are needed", where)


class NumberRules(RowRules[S]):
    """Rows with one number each, or several; ``values[role]`` maps names to numbers."""

    role = "target"

    def read_numbers(self, cells: Cells) -> dict[str, object]:
        """The part of ``read`` about the numbers. Raises EmptyCellError or MistakeError."""
        names = cells.columns(self.role)
        if len(names) == 1:
            value = parsed(cells.value(self.role), names[0])
            if not isinstance(value, list):
                return {self.role: {names[0]: number_of(value, names[0])}}
        return {self.role: cells.numbers(self.role)}

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        names = list(splits["train"][0].values[self.role])
        for records in splits.values():
            odd = [r.where for r in records if list(r.values[self.role]) != names]
            if odd:
                text = f"has another number of values in {self.role} than the first row"
                yield Problem(f"{text} ({len(names)})", where_all(odd))
                return
        for name in names:
            if len({record.values[self.role][name] for record in splits["train"]}) == 1:
                yield Problem(f"{name} is the same in every row; there is nothing to learn", "data")
