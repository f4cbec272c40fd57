"""A table of flowers whose kind and height follow from their columns."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

CLASSIFICATION, REGRESSION = "tabular-classification", "tabular-regression"


def rows(count: int = 120, seed: int = 1) -> list[dict[str, Any]]:
    """Flowers whose kind and height follow from their columns; some cells are empty."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        width, soil = chance.uniform(0, 10), chance.choice(["clay", "sand", "peat"])
        tall = 3 * width + {"clay": 0, "sand": 10, "peat": 20}[soil]
        found.append(
            {
                "name": f"flower {number}",
                "width": "" if number % 17 == 3 else round(width, 3),
                "soil": "" if number % 19 == 5 else soil,
                "kind": "tall" if tall > 25 else "small",
                "red": "yes" if width > 5 else "no",
                "height": round(tall, 2),
            }
        )
    return found


def write(folder: Path, table: list[dict[str, Any]], name: str = "data.csv") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def settings(task: str, data: Path, **changes: Any) -> dict[str, Any]:
    label = "kind" if task == CLASSIFICATION else "height"
    ignored = [name for name in ("kind", "red", "height") if name != label]
    spec: dict[str, Any] = {
        "task": task,
        "data": {
            "path": str(data),
            "column_mapping": {"label": label, "id": "name"},
            "ignored_columns": ignored,
            "validation_fraction": 0.25,
        },
        "model": {"estimators": ["decision_tree"]},
        "training": {"num_trials": 1, "folds": 3, "importance_repeats": 1},
        "launch": {"devices": "cpu", "offline": True, "threads": 1},
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        spec[section][name] = value
    return spec
