"""The tasks: one entry each, found by looking at the modules of ``luthier.trainers.tasks``."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

from .errors import LuthierError
from .spec import RunSpec

Family = Literal["language model"]


@dataclass(frozen=True)
class Column:
    """One column a task's dataset has: its part, type in plain words, and an example value."""

    role: str
    type: str
    example: Any
    required: bool = True


@dataclass(frozen=True)
class Task:
    """What can be trained.

    Attributes:
        id: the name in specs, such as ``llm-sft``.
        sentence: one plain sentence for somebody who has never trained it.
        spec: the parameter model; its sections declare every setting.
        metrics: what evaluation reports, the main one first.
        default_model: a small hub model to start from.
        sample: folder with a tiny dataset that the package carries.
        train: dotted path ``module:function`` of the training function, imported in workers only.
        artifact: the folder below artifacts/ that holds the result.
    """

    id: str
    family: Family
    title: str
    sentence: str
    columns: tuple[Column, ...]
    spec: type[RunSpec]
    metrics: tuple[str, ...]
    default_model: str
    sample: Path
    train: str
    chats: bool = False
    notes: tuple[str, ...] = field(default=())


@cache
def tasks() -> dict[str, Task]:
    """Every task by id, in the order of the ids."""
    package = importlib.import_module(f"{__package__}.tasks")
    found: dict[str, Task] = {}
    for module in pkgutil.iter_modules(package.__path__):
        entry = importlib.import_module(f"{package.__name__}.{module.name}").TASK
        found[entry.id] = entry
    return dict(sorted(found.items()))


def find_task(task_id: str) -> Task:
    """The task of that id. Raises LuthierError, with the nearest id, when there is none."""
    known = tasks()
    if task_id in known:
        return known[task_id]
    near = get_close_matches(task_id, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known tasks: {', '.join(known)}."
    raise LuthierError(f"There is no task {task_id!r}.", hint=hint)
