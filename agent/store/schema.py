"""The schema: which migrations there are, and bringing a database up to date."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from .errors import NewerDatabase

# In order; a released one never changes. Each is a module of migrations/ with ``apply``.
MIGRATIONS = ("m0001_first", "m0002_memory")
_SET = "luthier"


def migrate(connection: sqlite3.Connection, path: Path) -> bool:
    """Apply the migrations that the database lacks, each in a transaction of its own.

    Returns whether it had none, so is new.

    Raises:
        NewerDatabase: it has migrations that this version does not know.
    """
    applied = _applied(connection)
    unknown = sorted(applied - set(MIGRATIONS))
    if unknown:
        raise NewerDatabase(
            f"{path}: written by a newer version of Luthier ({unknown[-1]}).",
            hint="Update Luthier, or choose another LUTHIER_HOME.",
        )
    if applied != set(MIGRATIONS):
        _apply(connection)
    return not applied


def _applied(connection: sqlite3.Connection) -> set[str]:
    table = "SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'"
    if connection.execute(table).fetchone() is None:
        return set()
    query = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"
    return {row[0] for row in connection.execute(query, (_SET,))}


def _apply(connection: sqlite3.Connection) -> None:
    with _absent("numpy", "pandas"):
        from sqlite_utils import Database, Migrations
    migrations = Migrations(_SET)
    for name in MIGRATIONS:
        module = import_module(f".migrations.{name}", __package__)
        migrations(name=name)(module.apply)
    migrations.apply(Database(connection, recursive_triggers=False, execute_plugins=False))


@contextmanager
def _absent(*names: str) -> Iterator[None]:
    """Let imports of these modules fail for a while, unless they are loaded already.

    sqlite-utils imports pandas and numpy where they are installed: half a second and 80 MiB.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
