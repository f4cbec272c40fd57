"""Connections to the database: one that writes behind a lock, and a pool that reads."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue

from . import messages, schema
from .errors import DamagedDatabase, StoreUnavailable

# Reading the whole file for damage costs about a second a gigabyte and an agent has a second to
# start, so a bigger one is checked on request, and by SQLite itself wherever it is read.
CHECKED_AT_OPEN_BYTES = 100 * 2**20
_BUSY_SECONDS = 5.0
_SMALLEST_PAGE = 512

# What SQLite says when its surroundings are at fault, and what to do about it.
_REMEDIES = {
    "database or disk is full": "Free some space on its disk.",
    "disk I/O error": "Look whether its disk is full or failing.",
    "attempt to write a readonly database": "Make the file and its folder writable.",
    "unable to open database file": "Make sure that its folder exists and is writable.",
    "database is locked": "Close the other program that has it open.",
}


class Database:
    """One SQLite file in WAL mode. Any thread may read or write."""

    def __init__(self, path: Path, writer: sqlite3.Connection) -> None:
        self.path = path
        self.fresh = False
        self._writer = writer
        self._writing = threading.Lock()
        self._idle_readers: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._closed = False

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open or create the file; see ``Store.open``."""
        # SQLite would take such a file for a new database.
        if path.exists() and path.stat().st_size < _SMALLEST_PAGE:
            raise DamagedDatabase(f"{path}: the database is cut off.", hint=_REBUILD)
        with _explained(path, opening=True):
            database = cls(path, _connect(path))
            try:
                database._prepare()
            except BaseException:
                database.close()
                raise
        return database

    @staticmethod
    def set_aside(path: Path) -> Path:
        """Rename the file and its companions; see ``Store.set_aside``."""
        stamp = time.strftime("%Y%m%d-%H%M%S")
        target = path.with_name(f"{path.name}.damaged-{stamp}")
        count = 1
        while target.exists():
            count += 1
            target = path.with_name(f"{path.name}.damaged-{stamp}-{count}")
        # The database goes last: a journal left behind would be replayed into its successor.
        for ending in ("-wal", "-shm", ""):
            companion = path.with_name(path.name + ending)
            if companion.exists():
                companion.rename(target.with_name(target.name + ending))
        return target

    def check(self) -> None:
        """Read everything for damage; see ``Store.check``."""
        with self.read() as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            first = found.splitlines()[-1]
            raise _damaged(self.path, first)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is committed at the end, or undone when anything is raised."""
        with self._writing, _explained(self.path):
            self._require_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # SQLite has undone the transaction by itself after some errors.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one unchanging state of the database."""
        with _explained(self.path):
            self._require_open()
            connection = self._borrow()
            try:
                connection.execute("BEGIN")
                yield connection
            except ValueError as error:
                # What was written as JSON of our models reads as something else.
                raise _damaged(self.path, error) from error
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._give_back(connection)

    def close(self) -> None:
        """Close every connection; those in use are closed by their users."""
        with self._writing:
            self._closed = True
            self._writer.close()
        while True:
            try:
                self._idle_readers.get_nowait().close()
            except Empty:
                return

    def _prepare(self) -> None:
        self._writer.execute("PRAGMA journal_mode = WAL")
        # A change for show: a file that cannot be written would otherwise be noticed much later.
        self._writer.execute("BEGIN IMMEDIATE")
        self._writer.execute("PRAGMA user_version = 1")
        self._writer.execute("ROLLBACK")
        if self.path.stat().st_size <= CHECKED_AT_OPEN_BYTES:
            self.check()
        self.fresh = schema.migrate(self._writer, self.path)
        if any(self.path.parent.glob(f"{self.path.name}.damaged-*")):
            with self.write() as connection:
                messages.start_anew(connection)

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._idle_readers.get_nowait()
        except Empty:
            connection = _connect(self.path)
            connection.execute("PRAGMA query_only = ON")
            return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle_readers.put(connection)

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"{self.path}: the database is closed.")


_REBUILD = "Set it aside and rebuild it from the run folders."


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        # In WAL mode this survives every kill; a power cut may cost the last commits, which are
        # then ingested again, as the offset of the events file is lost with them.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 16777216")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _explained(path: Path, *, opening: bool = False) -> Iterator[None]:
    """Turn SQLite's complaints about the file into errors for people."""
    try:
        yield
    except sqlite3.OperationalError as error:
        remedy = _REMEDIES.get(str(error))
        # A damaged header makes SQLite say so of a file that is writable.
        wrong_header = opening and "readonly" in str(error) and os.access(path, os.W_OK)
        if remedy and not wrong_header:
            text = f"{path}: the database cannot be used: {error}."
            raise StoreUnavailable(text, hint=remedy) from error
        if opening or str(error).startswith("Could not decode"):
            raise _damaged(path, error) from error
        raise
    except sqlite3.DatabaseError as error:
        # Subclasses tell of wrong statements, the class itself of a wrong file.
        if type(error) is not sqlite3.DatabaseError:
            raise
        raise _damaged(path, error) from error


def _damaged(path: Path, why: object) -> DamagedDatabase:
    short = str(why).partition("\n")[0][:100]
    return DamagedDatabase(f"{path}: the database is damaged: {short}.", hint=_REBUILD)
