"""SQLite files: each of their tables is a split, as in a folder of files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from .problems import data_error
from .table import Table


def read_sqlite(path: Path, limit: int | None = None) -> Table | dict[str, Table]:
    """Read the only table of a file, or all of them by name. Nothing is written to it.

    Raises:
        DataError: it is no SQLite file, or has no table with rows.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            names = [
                name
                for (name,) in database.execute(
                    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
                    "AND name NOT LIKE 'sqlite_%' ORDER BY name"
                )
            ]
            tables = {name: _table(database, path, name, limit) for name in names}
    except sqlite3.Error as error:
        raise data_error(f"is not a readable SQLite file ({error})", path) from error
    tables = {name: table for name, table in tables.items() if len(table)}
    if not tables:
        raise data_error("has no table with rows in it", path)
    return next(iter(tables.values())) if len(tables) == 1 else tables


def _table(database: sqlite3.Connection, path: Path, name: str, limit: int | None) -> Table:
    quoted = name.replace('"', '""')
    # A limit of -1 is none.
    found = database.execute(f'SELECT * FROM "{quoted}" LIMIT ?', (-1 if limit is None else limit,))
    columns = tuple(column[0] for column in found.description)
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    return Table(f"{path.name} {name}", columns, rows, list(range(1, len(rows) + 1)))
