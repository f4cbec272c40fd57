"""The result of a run on a table: one file of skops, which runs no code when it is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import skops.io
from pydantic import BaseModel

from ..run_folder import write_json
from .features import Features
from .targets import Targets

MODEL = "model.skops"
CONFIG = "config.json"


class About(BaseModel):
    """What somebody who loads the model needs to know beside it.

    Attributes:
        numbers, words: the columns it takes, in this order.
        targets: the columns it answers.
        classes: the names of each target's classes by number; empty for regression.
        types: what skops is to trust in the file; the packages that these belong to are needed.
    """

    task: str
    estimator: str
    settings: dict[str, Any]
    numbers: list[str]
    words: list[str]
    targets: list[str]
    classes: dict[str, list[str]]
    types: list[str] = []

    @property
    def features(self) -> Features:
        """The columns by kind."""
        return Features(numbers=self.numbers, words=self.words)

    def as_targets(self) -> Targets:
        """The targets as the training code has them."""
        return Targets(tuple(self.targets), self.classes)


def save(folder: Path, model: Any, about: About) -> None:
    """Write the model and what is to be known about it into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(model, folder / MODEL)
    about.types = sorted(skops.io.get_untrusted_types(file=folder / MODEL))
    write_json(folder / CONFIG, about.model_dump(mode="json"))


def load(folder: Path) -> tuple[Any, About]:
    """The model of a folder that ``save`` wrote, and what is known about it."""
    about = About.model_validate(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    return skops.io.load(folder / MODEL, trusted=about.types), about
