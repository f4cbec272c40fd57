"""What somebody gives to predict from: a text, a table, a picture, a folder. Torch-free."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.files import READERS, read_file
from ..data.images import SUFFIXES
from ..data.parts import find_parts
from ..data.problems import data_error, listed
from ..data.records import split_columns
from ..data.table import Table
from ..errors import DataError, LuthierError
from ..registry import Inputs, Task


@dataclass(frozen=True)
class Given:
    """One input: its values by role, and where it stands."""

    values: dict[str, Any]
    where: str


def read_inputs(task: Task, source: str, mapping: Mapping[str, str]) -> list[Given]:
    """The inputs that a text names.

    A table of a known kind gives its rows, a text file its lines, a folder its pictures, a
    picture itself. What is no file is the input: a text, or a JSON object of values by role.

    Args:
        task: whose inputs are read.
        source: what was given.
        mapping: the columns of the run's own data by role, tried first.

    Raises:
        LuthierError: nothing can be predicted from it; the sentence says why.
    """
    inputs = inputs_of(task)
    path = _existing(source)
    if path is None:
        return [_literal(task, inputs, source)]
    if path.is_dir():
        return _folder(task, inputs, path)
    if path.suffix.lower() in READERS:
        return _table(task, inputs, path, mapping)
    role = inputs.roles[0]
    if len(inputs.roles) > 1:
        raise data_error(f"is no table ({listed(READERS)}); {_several(task, inputs)}", path)
    if inputs.kind == "image":
        return [Given({role: str(path)}, path.name)]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise data_error("is not UTF-8 text", path) from error
    found = [
        Given({role: line}, f"{path.name} line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not found:
        raise data_error("is empty", path)
    return found


def given_rows(task: Task, rows: Sequence[Mapping[str, Any]]) -> list[Given]:
    """Values by role as inputs. Raises LuthierError when one is missing or unknown."""
    inputs = inputs_of(task)
    found = []
    for number, row in enumerate(rows, start=1):
        missing = [role for role in inputs.roles if row.get(role) in (None, "")]
        if missing:
            raise LuthierError(
                f"Row {number} has no {missing[0]}.",
                hint=f"{task.id} predicts from {', '.join(inputs.roles)}.",
            )
        known = (*inputs.roles, *inputs.optional)
        values = {role: value for role, value in row.items() if not known or role in known}
        found.append(Given(values, f"row {number}"))
    return found


def inputs_of(task: Task) -> Inputs:
    """What the task predicts from. Raises LuthierError when its results do not predict."""
    if task.inputs is None or not task.predict:
        hint = "Talk to it with: luthier chat RUN" if task.chats else ""
        raise LuthierError(f"Results of {task.id} do not predict.", hint=hint)
    return task.inputs


def _existing(source: str) -> Path | None:
    try:
        path = Path(source).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        # Too long for a name, or with a zero byte: no path at all.
        return None


def _literal(task: Task, inputs: Inputs, source: str) -> Given:
    if source.lstrip().startswith("{"):
        try:
            values = json.loads(source)
        except json.JSONDecodeError as error:
            raise LuthierError(f"The input is not valid JSON: {error.msg}.") from error
        (given,) = given_rows(task, [values])
        return Given(given.values, "input")
    if inputs.kind == "image":
        raise data_error("there is no such picture, folder or table", source)
    if len(inputs.roles) != 1:
        raise LuthierError(
            f"{source[:60]!r} is no file; {_several(task, inputs)}.",
        )
    if _looks_like_a_file(source):
        raise data_error("there is no such file", source)
    return Given({inputs.roles[0]: source}, "input")


def _several(task: Task, inputs: Inputs) -> str:
    roles = ", ".join(f'"{role}": ...' for role in inputs.roles)
    return f"{task.id} predicts from several values: name a table, or write {{{roles}}}"


def _looks_like_a_file(source: str) -> bool:
    return " " not in source and Path(source).suffix.lower() in (*READERS, ".txt")


def _folder(task: Task, inputs: Inputs, folder: Path) -> list[Given]:
    if len(inputs.roles) > 1:
        raise data_error(f"is a folder; {_several(task, inputs)}", folder)
    if inputs.kind != "image":
        raise data_error("is a folder; name a file in it", folder)
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise data_error("has no pictures in it", folder)
    role = inputs.roles[0]
    return [Given({role: str(path)}, str(path.relative_to(folder))) for path in found]


def _table(task: Task, inputs: Inputs, path: Path, mapping: Mapping[str, str]) -> list[Given]:
    content = read_file(path)
    if not isinstance(content, Table):
        raise data_error(f"holds several splits ({listed(content)}); name a file of one", path)
    columns = _columns(task, inputs, content, mapping)
    found = []
    for index, row in enumerate(content.rows):
        values = {
            role: _cell(inputs, role, row.get(name), content) for role, name in columns.items()
        }
        if any(values[role] in (None, "") for role in inputs.roles):
            empty = next(role for role in inputs.roles if values[role] in (None, ""))
            raise data_error(f"{columns[empty]} is empty", content.where(index))
        found.append(Given(values, content.where(index)))
    return found


def _columns(
    task: Task, inputs: Inputs, table: Table, mapping: Mapping[str, str]
) -> dict[str, str]:
    """The column of each input: as in the run's own data, else by its name."""
    if not inputs.roles:
        return {name: name for name in table.columns}
    wanted = (*inputs.roles, *inputs.optional)
    columns = {
        role: text
        for role, text in mapping.items()
        if role in wanted
        and split_columns(text, dict.fromkeys(table.columns)) == [text]
        and text in table.columns
    }
    guessed, _ = find_parts(table, task, {})
    columns = {**{role: name for role, name in guessed.items() if role in wanted}, **columns}
    for role in inputs.roles:
        if role not in columns:
            text = f"no column is known to be the {role} (there are {listed(table.columns)})"
            raise DataError([*data_error(text, table.name).problems])
    return columns


def _cell(inputs: Inputs, role: str, value: Any, table: Table) -> Any:
    """What a cell holds; the name of a picture, the first role of such inputs, with its folder."""
    if inputs.kind != "image" or role != inputs.roles[0] or table.folder is None:
        return value
    if isinstance(value, list):
        return [_cell(inputs, role, each, table) for each in value]
    if not isinstance(value, str):
        return value
    path = Path(os.path.expanduser(value))
    return str(path if path.is_absolute() else table.folder / path)
