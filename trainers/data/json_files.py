"""jsonl and json files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import DataError
from .cells import kind_of, load_json
from .problems import data_error, listed
from .table import Row, Table

SPLIT_NAMES = ("train", "validation", "valid", "dev", "test")


def read_json_lines(path: Path, limit: int | None = None) -> Table:
    """Read one JSON object from each line; blank lines are passed over.

    Raises:
        DataError: naming the line that is not an object, not JSON or not UTF-8.
    """
    rows: list[Row] = []
    places: list[int] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if limit is not None and len(rows) >= limit:
                break
            if line.strip():
                rows.append(_object(line.rstrip(), number, path))
                places.append(number)
    if not rows:
        raise data_error("is empty", path)
    return Table(path.name, columns_of(rows), rows, places, "line")


def read_json(path: Path, limit: int | None = None) -> Table | dict[str, Table]:
    """Read a list of objects, such a list under one key, or one list for each split.

    JSON lines in a .json file are read as what they are.

    Raises:
        DataError: the file holds none of these; the sentence says what it holds.
    """
    try:
        value = load_json(_decoded(path.read_bytes(), path.name))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return read_json_lines(path, limit)
        where = f"{path.name} line {error.lineno}"
        raise data_error(f"is not valid JSON: {error.msg} (column {error.colno})", where) from error
    except RecursionError as error:
        raise data_error("is nested too deeply", path) from error
    if isinstance(value, list):
        return _table(path.name, value, limit)
    if not isinstance(value, dict):
        raise data_error(f"is {kind_of(value)}, not a list of rows", path)
    return _inner_tables(value, path, limit)


def _inner_tables(value: dict[str, Any], path: Path, limit: int | None) -> Table | dict[str, Table]:
    """The one list of rows in a mapping, or a list for each split."""
    if not value:
        raise data_error("is empty", path)
    lists = {key: item for key, item in value.items() if isinstance(item, list)}
    if len(lists) == 1 and not lists.keys() & set(SPLIT_NAMES):
        ((key, only),) = lists.items()
        return _table(f"{path.name} {key}", only, limit)
    if lists and all(_rows_only(item) for item in lists.values()):
        return {key: _table(f"{path.name} {key}", item, limit) for key, item in lists.items()}
    raise data_error(
        f"holds no list of rows (its keys are {listed(map(str, value))}); "
        'write [{"column": value, ...}, ...]',
        path,
    )


def columns_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Every column that occurs, in order of appearance."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def _rows_only(items: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in items)


def _table(name: str, items: list[Any], limit: int | None) -> Table:
    rows = items[:limit]
    if not rows:
        raise data_error("is empty", name)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise data_error(f"is {kind_of(row)}, not an object", f"{name} row {number}")
    return Table(name, columns_of(rows), rows, list(range(1, len(rows) + 1)))


def _object(line: bytes, number: int, path: Path) -> Row:
    where = f"{path.name} line {number}"
    try:
        value = load_json(_decoded(line, where))
    except json.JSONDecodeError as error:
        if number == 1 and line.lstrip().startswith(b"["):
            raise data_error("begins a JSON list; name the file .json", where) from error
        raise data_error(f"is not valid JSON: {error.msg} (column {error.colno})", where) from error
    except RecursionError as error:
        raise data_error("is nested too deeply", where) from error
    if isinstance(value, dict):
        return value
    mend = "; name the file .json" if number == 1 and isinstance(value, list) else ""
    raise data_error(f"is {kind_of(value)}, not an object{mend}", where)


def _decoded(content: bytes, where: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise data_error("is UTF-16 text; save it as UTF-8", where)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        place = where if b"\n" not in content.rstrip() else f"{where} line {line}"
        raise _not_utf8(place, error) from error


def _not_utf8(where: str, error: UnicodeDecodeError) -> DataError:
    return data_error(f"is not UTF-8 text ({error.reason}); save it as UTF-8", where)
