"""Which column of a table plays which part of a task."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from ..errors import Problem
from ..registry import Column, Task
from .problems import listed, missing_column
from .records import split_columns
from .table import Table

_WHERE = "data.column_mapping"


def find_parts(
    table: Table, task: Task, mapping: Mapping[str, str]
) -> tuple[dict[str, str], list[Problem]]:
    """The columns by role, mapped by the spec or guessed by their names, and what is wrong.

    The mapping may use AutoTrain's keys: a role's other name, with or without ``_column``.
    """
    problems: list[Problem] = []
    parts: dict[str, str] = {}
    for key, text in mapping.items():
        column = _column_of(key, task)
        if column is None:
            problems.append(Problem(_no_part(key, text, task, table), _WHERE))
            continue
        names = split_columns(text, dict.fromkeys(table.columns))
        for name in names:
            if name not in table.columns:
                problems.append(Problem(missing_column(name, table.columns), _WHERE))
        if len(names) > 1 and not column.several:
            text_ = f"{column.role} takes one column, not {len(names)}"
            problems.append(Problem(text_, _WHERE))
        parts[column.role] = text
    missing = []
    for column in task.columns:
        if column.role in parts:
            continue
        guess = _guess(column, _free(table, parts))
        if guess is not None:
            parts[column.role] = guess
        elif column.required:
            missing.append(column)
    wanted = next((column for column in missing if column.unless not in parts), None)
    if wanted is not None and not problems:
        problems.append(Problem(_not_found(wanted, _free(table, parts)), table.name))
    return parts, problems


def _free(table: Table, parts: Mapping[str, str]) -> list[str]:
    return [name for name in table.columns if name not in parts.values()]


def _column_of(key: str, task: Task) -> Column | None:
    plain = key.removesuffix("_column").removesuffix("_columns").lower()
    exact = [column for column in task.columns if column.role == key]
    named = [column for column in task.columns if plain in (column.role, *column.names)]
    return next(iter(exact or named), None)


def _guess(column: Column, free: list[str]) -> str | None:
    known = {name.lower(): name for name in reversed(free)}
    names = (column.role, *column.names)
    return next((known[name] for name in names if name in known), None)


def _no_part(key: str, text: str, task: Task, table: Table) -> str:
    roles = [column.role for column in task.columns]
    if text in roles and key in table.columns:
        return f"write the part first: {{{text}: {key}}}"
    near = get_close_matches(key, roles, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the parts are {listed(roles)}"
    return f"there is no part {key!r}; {hint}"


def _not_found(column: Column, free: list[str]) -> str:
    return (
        f"no column is known to be the {column.role}; say which one is by "
        f"data.column_mapping {{{column.role}: COLUMN}} (there are {listed(free)})"
    )
