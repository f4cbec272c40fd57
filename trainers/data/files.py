"""Finding and reading the tables of a path: one file, or a folder of {split}.ext."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import DataError
from .columnar import read_arrow, read_parquet
from .delimited import read_delimited
from .json_files import read_json, read_json_lines
from .problems import data_error, listed
from .sqlite import read_sqlite
from .table import Table

Content = Table | dict[str, Table]

READERS: dict[str, Callable[[Path, int | None], Content]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json_lines,
    ".json": read_json,
    ".parquet": read_parquet,
    ".arrow": read_arrow,
    ".feather": read_arrow,
    ".sqlite": read_sqlite,
    ".sqlite3": read_sqlite,
    ".db": read_sqlite,
}


def read_file(path: Path, limit: int | None = None) -> Content:
    """Read one file by its extension; a json file may hold several splits.

    Args:
        path: the file.
        limit: read no more than so many rows.

    Raises:
        DataError: the extension is unknown or the file cannot be read.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise data_error(
            f"has the unknown extension {path.suffix or '(none)'!r}; "
            f"write the rows as {listed(READERS)}",
            path,
        )
    try:
        if path.stat().st_size == 0:
            raise data_error("is empty", path)
        content = reader(path, limit)
    except OSError as error:
        raise data_error(f"cannot be read: {error.strerror or error}", path) from error
    if isinstance(content, Table):
        return replace(content, folder=path.parent)
    return {name: replace(table, folder=path.parent) for name, table in content.items()}


def find_split(folder: Path, split: str) -> Path | None:
    """The file of a split in a folder, or None.

    Raises:
        DataError: several files, such as train.csv and train.jsonl, could be meant.
    """
    found = [path for path in _data_files(folder) if path.stem == split]
    if len(found) > 1:
        names = listed(path.name for path in found)
        raise data_error(f"has {names} for the split {split!r}; leave one of them there", folder)
    return found[0] if found else None


def missing_split(where: str | Path, split: str, key: str, known: list[str]) -> DataError:
    """The error about a split that is not there, with those that are."""
    there = f"the splits are {listed(known)}" if known else "it holds no splits"
    return data_error(f"has no split {split!r}, which data.{key} names; {there}", where)


def split_names(folder: Path) -> list[str]:
    """The splits that a folder's files are named after."""
    return sorted({path.stem for path in _data_files(folder)})


def _data_files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in READERS
    )
