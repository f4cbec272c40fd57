"""Setting validation rows aside, and the fingerprint of a dataset."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .table import Row, Table


def set_aside(
    table: Table, fraction: float, seed: int, column: str | None = None
) -> tuple[Table, Table | None]:
    """Split a table into training and validation rows, each in the order of the file.

    Rows are chosen by a hash of seed and content, so the choice does not depend on the order of
    the rows or on the machine, and equal rows stay together.

    Args:
        table: all rows.
        fraction: share to set aside, from 0 to below 1; at least one row unless 0.
        seed: another seed chooses other rows.
        column: its values keep their shares on both sides, as far as their rows can be divided.

    Returns:
        Both tables; the second is None when fraction is 0 or nothing would be left to train on.
    """
    if fraction == 0:
        return table, None
    every = range(len(table))
    chosen = _chosen_by_value(table, fraction, seed, column) if column else set()
    # One row of every value is few rows altogether when there are many values.
    chosen = chosen or _chosen(table, every, fraction, seed, least=1)
    if not chosen:
        return table, None
    kept = [index for index in every if index not in chosen]
    return table.pick(kept), table.pick(sorted(chosen))


def _chosen_by_value(table: Table, fraction: float, seed: int, column: str) -> set[int]:
    strata: dict[str, list[int]] = {}
    for index, row in enumerate(table.rows):
        strata.setdefault(str(row.get(column)), []).append(index)
    return {
        index
        for members in strata.values()
        for index in _chosen(table, members, fraction, seed, least=0)
    }


def _chosen(
    table: Table, members: Sequence[int], fraction: float, seed: int, *, least: int
) -> set[int]:
    """The rows of ``members`` to set aside; none when fewer than two of them differ."""
    groups: dict[bytes, list[int]] = {}
    for index in members:
        groups.setdefault(_digest(table.rows[index], f"{seed}:".encode()), []).append(index)
    wanted = max(least, round(len(members) * fraction))
    if len(groups) < 2 or not wanted:
        return set()
    chosen: set[int] = set()
    left = len(groups)
    for _, equal in sorted(groups.items()):
        if len(chosen) + len(equal) <= wanted and left > 1:
            chosen.update(equal)
            left -= 1
        if len(chosen) >= wanted:
            break
    if not chosen:
        _, smallest = min(groups.items(), key=lambda item: (len(item[1]), item[0]))
        chosen.update(smallest)
    return chosen


def fingerprint(tables: Iterable[Table | None], settings: Mapping[str, Any]) -> str:
    """sha256 over the rows of each table in order, and over the settings that change them."""
    whole = hashlib.sha256(_canonical(settings))
    for table in tables:
        whole.update(b"table")
        for row in table.rows if table else ():
            whole.update(_digest(row))
    return whole.hexdigest()


def _digest(row: Row, salt: bytes = b"") -> bytes:
    return hashlib.sha256(salt + _canonical(row)).digest()


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
