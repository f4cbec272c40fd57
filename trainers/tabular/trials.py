"""What was tried: one line a trial, added when it has ended, so that a run can go on from it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError


class Trial(BaseModel):
    """One combination that was tried.

    Attributes:
        settings: of the estimator.
        scores: the figure of each fold that was trained.
        state: pruned trials were given up before their last fold.
        reason: why it failed.
    """

    number: int
    estimator: str
    settings: dict[str, Any]
    scores: list[float]
    state: Literal["complete", "pruned", "failed"]
    seconds: float
    reason: str = ""

    @property
    def score(self) -> float:
        """The mean over its folds."""
        return sum(self.scores) / len(self.scores) if self.scores else math.nan


class TrialLog:
    """The trials of a run, in the order in which they were made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trials: list[Trial] = []
        whole = b""
        written = path.read_bytes() if path.exists() else b""
        for line in written.splitlines(keepends=True):
            try:
                self.trials.append(Trial.model_validate_json(line))
            except ValidationError:
                break
            whole += line.removesuffix(b"\n") + b"\n"
        if written != whole:
            # The last line was torn when the run was killed; that trial is made again.
            beside = path.with_suffix(".new")
            beside.write_bytes(whole)
            beside.replace(path)

    def add(self, trial: Trial) -> None:
        """Keep a trial that has ended. Raises OSError when the disk is full."""
        with self._path.open("ab", buffering=0) as file:
            file.write(trial.model_dump_json().encode() + b"\n")
            os.fsync(file.fileno())
        self.trials.append(trial)

    def complete(self) -> list[Trial]:
        """The trials whose every fold was trained."""
        return [trial for trial in self.trials if trial.state == "complete"]
