"""Rows in memory, each with its place in the file it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]
PlaceWord = Literal["row", "line", "picture"]

_ROWS_NAMED = 5


def where_all(places: Sequence[str]) -> str:
    """Where several rows of one table stand: ``train.csv rows 1, 2, 3, 4, 5 and 12 more``."""
    if len(places) == 1:
        return places[0]
    split = [place.rpartition(" ") for place in places[:_ROWS_NAMED]]
    named = f"{split[0][0]}s " + ", ".join(number for _, _, number in split)
    more = len(places) - _ROWS_NAMED
    return f"{named} and {more} more" if more > 0 else named


@dataclass(frozen=True)
class Table:
    """The rows of one split.

    Attributes:
        name: the file's name (``train.csv``), or the hub dataset with its split.
        columns: every column that occurs, in the order of the file.
        rows: a mapping for each row; a column that a row lacks may be absent.
        places: each row's place in the file, from 1: the line of JSON lines, the picture of a
            folder, the data row of everything else.
        place_word: what a place counts.
        folder: where the file is, from which the files that its cells name are looked up.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[Row]
    places: list[int]
    place_word: PlaceWord = "row"
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, index: int) -> str:
        """Where a row stands, such as ``train.csv row 17``. ``index`` counts ``rows`` from 0."""
        return f"{self.name} {self.place_word} {self.places[index]}"

    def pick(self, indices: Sequence[int]) -> Table:
        """The table of these rows only, in the given order."""
        return Table(
            self.name,
            self.columns,
            [self.rows[index] for index in indices],
            [self.places[index] for index in indices],
            self.place_word,
            self.folder,
        )


@dataclass(frozen=True)
class Dataset:
    """What a run trains on and is measured on.

    Attributes:
        train: the rows trained on.
        validation: the rows measured on, or None.
        source: the path or hub id as the spec names it.
        fingerprint: sha256 (hexadecimal) over the rows and the settings that change them.
        validation_made: the validation rows were set aside from the training rows, because the
            data has no such split.
    """

    train: Table
    validation: Table | None
    source: str
    fingerprint: str
    validation_made: bool = False

    def splits(self) -> dict[str, Table]:
        """The tables there are, as ``train`` and ``validation``."""
        tables = {"train": self.train}
        return {**tables, "validation": self.validation} if self.validation else tables
