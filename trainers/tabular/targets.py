"""What is to be learnt: classes as numbers, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.records import Record
from ..data.rules import number_order


@dataclass(frozen=True)
class Targets:
    """The columns that are learnt.

    Attributes:
        names: of the columns.
        classes: the names of each column's classes, in the order of their numbers; empty for
            regression.
    """

    names: tuple[str, ...]
    classes: dict[str, list[str]]

    @classmethod
    def of(cls, train: Sequence[Record], *, classification: bool) -> Targets:
        """The targets of the training rows."""
        names = tuple(train[0].values["label"])
        classes = {
            name: number_order([record.values["label"][name] for record in train])
            for name in names
            if classification
        }
        return cls(names, classes)

    def values(self, records: Sequence[Record]) -> Any:
        """The right answers (rows, targets): class numbers or floats.

        A class that no training row has is -1.
        """
        columns = []
        for name in self.names:
            given = [record.values["label"][name] for record in records]
            if self.classes:
                number = {label: place for place, label in enumerate(self.classes[name])}
                columns.append(np.array([number.get(label, -1) for label in given]))
            else:
                columns.append(np.array(given, dtype=float))
        return np.stack(columns, axis=1)
