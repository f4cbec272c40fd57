"""Datasets of the Hugging Face hub."""

from __future__ import annotations

import os
import re
from typing import Any

from ..errors import DataError
from ..spec import DataSection
from .class_labels import name_classes
from .problems import data_error
from .table import Row, Table

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub_id(path: str) -> bool:
    """Whether the text has the form owner/name."""
    return _HUB_ID.fullmatch(path) is not None


def read_hub(section: DataSection) -> dict[str, Table]:
    """Every split of a hub dataset, from the cache when this machine is offline.

    Raises:
        DataError: it cannot be had; the sentence says whether it is the id, the configuration,
            the network or the right to read.
    """
    try:
        import datasets
    except ImportError as error:
        raise data_error(
            "hub datasets need the datasets package; run: pip install 'luthier[train]'",
            section.path,
        ) from error
    try:
        found = datasets.load_dataset(section.path, name=section.subset, revision=section.revision)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise _explained(section, error) from error
    return {
        str(split): _table(f"{section.path} {split}", rows, section.max_rows)
        for split, rows in found.items()
        if len(rows)
    }


def _table(name: str, found: Any, limit: int | None) -> Table:
    wanted = len(found) if limit is None else min(limit, len(found))
    rows: list[Row] = found.select(range(wanted)).to_list()
    name_classes(rows, found.features.to_dict())
    columns = tuple(str(column) for column in found.column_names)
    return Table(name, columns, rows, list(range(1, wanted + 1)))


def _explained(section: DataSection, error: Exception) -> DataError:
    text = " ".join(str(error).split())
    asked = section.path
    if section.subset is None and "Config name is missing" in text:
        return data_error(f"has several configurations; set data.subset ({text})", asked)
    if section.subset is not None and ("BuilderConfig" in text or "for config" in text):
        return data_error(f"has no configuration {section.subset!r} ({text})", asked)
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return data_error(
            "is no file or folder here, and no hub dataset in this machine's cache, "
            "and this run is offline; check data.path or fetch it once while online",
            asked,
        )
    if "gated" in text or "401" in text or "403" in text:
        return data_error(
            "is a hub dataset that needs permission; accept its terms and set HF_TOKEN", asked
        )
    return data_error(f"cannot be read from the hub: {text[:300]}", asked)
