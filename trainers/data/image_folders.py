"""Folders of pictures: with metadata.jsonl beside them, or with a folder for each class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ..spec import DataSection
from .files import find_split, read_file
from .images import SUFFIXES, Picture
from .json_files import SPLIT_NAMES
from .problems import data_error
from .records import Cells, Record
from .rules import RowRules, S
from .table import Row, Table

IMAGE_COLUMNS = (
    "image",
    "file_name",
    "image_path",
    "filename",
    "file",
    "path",
    "img",
    "picture",
    "photo",
)
"""Names that columns of pictures go by."""

_METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
_SPLITS = (*SPLIT_NAMES, "val")


class PictureRules(RowRules[S]):
    """Rows with pictures, which may lie in folders. Stands before other rules in a class's bases.

    A folder holds metadata.jsonl (or .csv, .parquet) whose file_name column names the pictures, or
    a folder for each class; or it holds folders named after splits with one of these in each.

    Attributes:
        by_class: whether folders may be named after classes.
    """

    by_class: ClassVar[bool] = False

    def table(self, folder: Path, limit: int | None) -> Table | None:
        """The rows of one split's folder; None when it is none.

        Args:
            folder: where the pictures are.
            limit: read no more than so many rows.
        """
        table = metadata_table(folder, limit)
        return class_table(folder, limit) if table is None and self.by_class else table

    def folder(self, folder: Path, section: DataSection) -> dict[str, Table] | None:
        if find_split(folder, section.train_split):
            return None
        train = folder / section.train_split
        first = self.table(train, section.max_rows) if train.is_dir() else None
        if first is None:
            only = self.table(folder, section.max_rows)
            if only is None and next(pictures(folder, deep=True), None):
                text = "has pictures, but no metadata.jsonl that says what is on them"
                mend = ", and no folder for each class" if self.by_class else ""
                raise data_error(text + mend, folder)
            return None if only is None else {section.train_split: only}
        found = {section.train_split: _named(first, train)}
        for name, path in _other_splits(folder, section).items():
            table = self.table(path, section.max_rows)
            if table is None:
                raise data_error(f"is empty, or of another shape than {train.name}", path)
            found[name] = _named(table, path)
        return found

    def file(self, path: Path, section: DataSection) -> Table | None:
        if path.suffix.lower() == ".zip":
            raise data_error("is a zip file; unpack it and name its folder", path)
        return None

    def held(self, cells: Cells) -> list[Any]:
        """What stands for each picture of a row: names of files, or bytes.

        Raises:
            EmptyCellError, MistakeError: the cell holds neither.
        """
        value = cells.value("image")
        if isinstance(value, str) and value.lstrip().startswith("["):
            value = cells.items("image")
        return value if isinstance(value, list) else [value]

    def content(self, record: Record) -> str:
        return " ".join(v.digest for v in record.values.values() if isinstance(v, Picture))

    def shown(self, record: Record) -> dict[str, object]:
        values = super().shown(record)
        return {k: str(v) if isinstance(v, Picture) else v for k, v in values.items()}


def metadata_table(folder: Path, limit: int | None) -> Table | None:
    """The rows of the metadata file beside the pictures; None when there is none.

    Raises:
        DataError: it cannot be read, or there are several.
    """
    found = [folder / name for name in _METADATA if (folder / name).is_file()]
    if len(found) > 1:
        raise data_error(f"has {found[0].name} and {found[1].name}; leave one of them", folder)
    if not found:
        return None
    table = read_file(found[0], limit)
    assert isinstance(table, Table)
    return table


def class_table(folder: Path, limit: int | None) -> Table | None:
    """A row with ``image`` and ``label`` for each picture in a class's folder; None without any.

    Args:
        folder: holds a folder for each class.
        limit: most rows; they are of all classes alike.

    Raises:
        DataError: a class has no picture.
    """
    classes = [path for path in sorted(folder.iterdir()) if path.is_dir() and not _hidden(path)]
    found = {path.name: sorted(pictures(path, deep=True)) for path in classes}
    if not any(found.values()):
        return None
    for name, paths in found.items():
        if not paths:
            raise data_error("has no pictures in it", folder / name)
    # In turns, so that the first rows are of every class.
    turns = sorted(
        (turn, name, path) for name, paths in found.items() for turn, path in enumerate(paths)
    )
    chosen = sorted(turns[:limit], key=lambda each: each[2])
    rows: list[Row] = [
        {"image": str(path.relative_to(folder)), "label": name} for _, name, path in chosen
    ]
    return Table(
        folder.name, ("image", "label"), rows, list(range(1, len(rows) + 1)), "picture", folder
    )


def pictures(folder: Path, *, deep: bool = False) -> Iterator[Path]:
    """The pictures in a folder, by their file names' endings; hidden ones are passed over."""
    for path in folder.rglob("*") if deep else folder.iterdir():
        inside = path.relative_to(folder).parts
        if path.suffix.lower() in SUFFIXES and path.is_file() and not any(map(_is_hidden, inside)):
            yield path


def _other_splits(folder: Path, section: DataSection) -> dict[str, Path]:
    """The folders of further splits by the splits' names; val is called validation."""
    wanted = {name for name in (*_SPLITS, section.validation_split) if name}
    known = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir() and p.name in wanted}
    known.pop(section.train_split, None)
    if "val" in known and section.validation_split != "val":
        known.setdefault("validation", known.pop("val"))
    return known


def _named(table: Table, folder: Path) -> Table:
    """The table of a split's folder, told apart from those of the others."""
    name = table.name if table.name == folder.name else f"{folder.name}/{table.name}"
    return replace(table, name=name)


def _hidden(path: Path) -> bool:
    return _is_hidden(path.name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
