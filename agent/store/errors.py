"""What can go wrong with the store: each name says what is the matter."""

# ruff: noqa: N818

from __future__ import annotations

from luthier.trainers.errors import LuthierError


class StoreUnavailable(LuthierError):
    """The database cannot be read or written right now (full disk, no permission).

    Nothing of the refused change was stored; the same call succeeds once the cause is gone.
    """


class DamagedDatabase(LuthierError):
    """The file is not a usable database. Set it aside and rebuild it from the run folders."""


class NewerDatabase(LuthierError):
    """The database was written by a newer Luthier; it must not be set aside or changed."""


class UnknownRun(LuthierError):
    """The store has no such run (any more)."""
