"""What a task knows about its rows. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic

from typing_extensions import TypeVar

from ..errors import Problem
from ..spec import DataSection, RunSpec
from .records import Cells, Record
from .table import Table

S = TypeVar("S", bound=RunSpec, default=RunSpec, covariant=True)


class RowRules(Generic[S]):
    """How a task reads its rows, and what it finds wrong or odd about them.

    A task's module names its class by ``Task.rules``; only ``read`` must be written.

    Attributes:
        stratify: the role whose values keep their shares in a split that is made; empty: none.
    """

    stratify: str = ""

    def __init__(self, spec: S) -> None:
        self.spec = spec

    def read(self, cells: Cells) -> dict[str, Any]:
        """The values of a row by role.

        Raises:
            EmptyCellError: something that the row needs is empty.
            MistakeError: something in it cannot be what the task needs.
        """
        raise NotImplementedError

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        """What stops a run, looking at all rows; ``splits`` has train, and validation if any."""
        return iter(())

    def warnings(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        """What does not stop a run but should be known."""
        return iter(())

    def classes(self, records: Sequence[Record]) -> dict[str, int]:
        """How often each class occurs; empty where there are none."""
        return {}

    def folder(self, folder: Path, section: DataSection) -> dict[str, Table] | None:
        """A folder of the task's own shape as splits by name; None when it is not one."""
        return None

    def file(self, path: Path, section: DataSection) -> Table | None:
        """A file of the task's own kind as rows; None when it is not one."""
        return None

    def content(self, record: Record) -> str:
        """What stands for the content of the files that a row names; empty when it names none."""
        return ""

    def shown(self, record: Record) -> dict[str, Any]:
        """The record's values as plain JSON, for reports and for trying the model out."""
        return record.values

    def length(self, record: Record) -> int:
        """The length of its texts in characters; 0 where that means nothing."""
        return sum(len(value) for value in record.values.values() if isinstance(value, str))


def number_order(names: Sequence[str]) -> list[str]:
    """Class names as people order them: by value when all are numbers, else by letters."""
    try:
        numbers = {name: float(name) for name in names}
    except ValueError:
        return sorted(set(names))
    if any(math.isnan(number) for number in numbers.values()):
        return sorted(set(names))
    return sorted(set(names), key=lambda name: (numbers[name], name))
