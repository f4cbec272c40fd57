"""Errors meant for people.

LuthierError            anything whose message a person should read, without a traceback
├── SpecError           a run spec that cannot work (carries one Problem per mistake)
├── DataError           a dataset that cannot be trained on (carries one Problem per mistake)
└── TrainingError       a run that started and had to end
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake: what is wrong, where, and how to mend it.

    ``where`` names the file with its line, the spec key or the rows, as far as known.
    """

    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class LuthierError(Exception):
    """An error whose text is one clear sentence for a person: what, where, how to mend it."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ProblemsError(LuthierError):
    """An error that carries every mistake found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


class SpecError(ProblemsError):
    """A run spec that cannot work."""


class DataError(ProblemsError):
    """A dataset that cannot be trained on."""


class TrainingError(LuthierError):
    """A run that started and had to end, with the likely remedy in ``hint``."""

    exit_code = 1
