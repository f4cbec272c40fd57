"""Setting validation rows aside, and the fingerprint of a dataset."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .table import Row, Table


def set_aside(table: Table, fraction: float, seed: int) -> tuple[Table, Table | None]:
    """Split a table into training and validation rows, each in the order of the file.

    Rows are chosen by a hash of seed and content, so the choice does not depend on the order of
    the rows or on the machine, and equal rows stay together.

    Args:
        table: all rows.
        fraction: share to set aside, from 0 to below 1; at least one row unless 0.
        seed: another seed chooses other rows.

    Returns:
        Both tables; the second is None when fraction is 0 or nothing would be left to train on.
    """
    if fraction == 0:
        return table, None
    groups: dict[bytes, list[int]] = {}
    for index, row in enumerate(table.rows):
        groups.setdefault(_digest(row, f"{seed}:".encode()), []).append(index)
    if len(groups) < 2:
        return table, None
    wanted = max(1, round(len(table) * fraction))
    chosen: set[int] = set()
    left = len(groups)
    for _, members in sorted(groups.items()):
        if len(chosen) + len(members) <= wanted and left > 1:
            chosen.update(members)
            left -= 1
        if len(chosen) >= wanted:
            break
    if not chosen:
        _, smallest = min(groups.items(), key=lambda item: (len(item[1]), item[0]))
        chosen.update(smallest)
    kept = [index for index in range(len(table)) if index not in chosen]
    return table.pick(kept), table.pick(sorted(chosen))


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
