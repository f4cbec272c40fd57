"""From the data section of a spec to rows in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..spec import DataSection
from .files import find_split, missing_split, read_file, split_names
from .functions import function_file
from .hub import is_hub_id, read_hub
from .json_files import SPLIT_NAMES
from .problems import data_error
from .split import fingerprint, set_aside
from .table import Dataset, Table

# What changes the rows that a model sees, beside the rows themselves.
_ROW_SETTINGS = (
    "format",
    "column_mapping",
    "prompt_template",
    "completion_template",
    "prompt_function",
    "completion_function",
    "system_prompt",
    "weight_column",
)


FolderReader = Callable[[Path, DataSection], "dict[str, Table] | None"]
FileReader = Callable[[Path, DataSection], "Table | None"]


@dataclass(frozen=True)
class Layout:
    """What a task knows about how its data lies.

    Attributes:
        strata: names the column whose values keep their shares in a split that is made.
        folder: reads a folder as splits by name; None when it is not of the task's own shape.
        file: reads a file of the task's own kind; None when it is not one.
    """

    strata: Callable[[Table], str | None] = lambda table: None
    folder: FolderReader = lambda folder, section: None
    file: FileReader = lambda path, section: None


def read_dataset(section: DataSection, layout: Layout = Layout()) -> Dataset:
    """Read the rows that a spec names, with the validation rows given or made.

    The made split depends on the rows' content, ``split_seed`` and ``validation_fraction`` only,
    so every machine sets the same rows aside, and equal rows are never on both sides. Rows whose
    weight is 0 are left out.

    Args:
        section: what the spec says.
        layout: what the task knows about its data.

    Raises:
        DataError: the file, folder or hub dataset cannot be read; the sentence says where.
    """
    given, validation = _read(section, layout)
    train = _weighed(given, section)
    made = validation is None
    if validation is None:
        train, validation = set_aside(
            train, section.validation_fraction, section.split_seed, layout.strata(train)
        )
    else:
        validation = _weighed(validation, section)
    return Dataset(
        train=train,
        validation=validation,
        source=section.path,
        fingerprint=fingerprint((train, validation), _settings(section)),
        validation_made=made and validation is not None,
    )


def _read(section: DataSection, layout: Layout) -> tuple[Table, Table | None]:
    path = Path(section.path).expanduser()
    if path.is_dir():
        own = layout.folder(path, section)
        if own is not None:
            return _choose(own, path, section)
        return _read_folder(path, section)
    if path.is_file():
        own_kind = layout.file(path, section)
        content = read_file(path, section.max_rows) if own_kind is None else own_kind
        if isinstance(content, Table):
            _check_no_splits(content, section)
            return content, None
        return _choose(content, path, section)
    if is_hub_id(section.path) and not path.suffix:
        return _choose(read_hub(section), section.path, section)
    raise data_error("there is no such file or folder; check data.path", path)


def _read_folder(folder: Path, section: DataSection) -> tuple[Table, Table | None]:
    found = find_split(folder, section.train_split)
    if found is None:
        names = split_names(folder)
        if not names:
            raise data_error("has no csv, tsv, jsonl, json or parquet file in it", folder)
        raise missing_split(folder, section.train_split, "train_split", names)
    train = _single(found, section)
    wanted = section.validation_split
    for split in [wanted] if wanted else _usual_validation(section):
        path = find_split(folder, split)
        if path:
            return train, _single(path, section)
    if wanted:
        raise missing_split(folder, wanted, "validation_split", split_names(folder))
    return train, None


def _single(path: Path, section: DataSection) -> Table:
    content = read_file(path, section.max_rows)
    if isinstance(content, Table):
        return content
    raise data_error("holds several splits although it is named after one; keep one list", path)


def _choose(
    tables: dict[str, Table], where: str | Path, section: DataSection
) -> tuple[Table, Table | None]:
    if section.train_split not in tables:
        raise missing_split(where, section.train_split, "train_split", list(tables))
    train, wanted = tables[section.train_split], section.validation_split
    if wanted and wanted not in tables:
        raise missing_split(where, wanted, "validation_split", list(tables))
    names = [wanted] if wanted else [name for name in _usual_validation(section) if name in tables]
    return train, tables[names[0]] if names else None


def _usual_validation(section: DataSection) -> list[str]:
    return [name for name in SPLIT_NAMES if name not in ("train", section.train_split)]


def _check_no_splits(table: Table, section: DataSection) -> None:
    for key, silent in (("train_split", "train"), ("validation_split", None)):
        wanted = getattr(section, key)
        if wanted != silent:
            raise data_error(
                f"is one table without splits, so data.{key} cannot be {wanted!r}; "
                f"name a folder with {wanted}.csv or leave data.{key} out",
                table.name,
            )


def _weighed(table: Table, section: DataSection) -> Table:
    """The table without the rows of weight 0."""
    column = section.row_weights
    if column is None:
        return table
    kept = [index for index, row in enumerate(table.rows) if not _is_zero(row.get(column))]
    if not kept:
        raise data_error(f"every row has weight 0 in the column {column!r}", table.name)
    return table if len(kept) == len(table) else table.pick(kept)


def _is_zero(value: object) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return float(value) == 0  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def _settings(section: DataSection) -> dict[str, Any]:
    """The settings, with the text of the user's functions in place of their paths."""
    known = type(section).model_fields
    settings: dict[str, Any] = {
        name: getattr(section, name) for name in _ROW_SETTINGS if name in known
    }
    for name in ("prompt_function", "completion_function"):
        if settings.get(name):
            code = function_file(settings[name], f"data.{name}").read_bytes()
            function = settings[name].rpartition(":")[2]
            settings[name] = [hashlib.sha256(code).hexdigest(), function]
    return settings
