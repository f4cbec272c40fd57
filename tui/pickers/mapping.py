"""Which column plays which part: what can be chosen, and what a choice lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luthier.trainers.data.formats import OPTIONAL_PARTS, PARTS
from luthier.trainers.data.report import InspectReport

AUTO = "auto"


@dataclass(frozen=True)
class Columns:
    """The real columns of a dataset and how they are read so far.

    Attributes:
        names: the columns.
        format: the recognised format; None when none fits.
        parts: the columns that were found for its parts.
    """

    names: tuple[str, ...]
    format: str | None
    parts: Mapping[str, str]

    @classmethod
    def of(cls, report: InspectReport) -> Columns:
        """What a look at the dataset found."""
        return cls(tuple(column.name for column in report.columns), report.format, report.parts)


def parts_of(chosen: str, columns: Columns) -> tuple[str, ...]:
    """The parts that columns can play in a format; auto means the recognised one."""
    name = columns.format or "prompt-completion" if chosen == AUTO else chosen
    return PARTS.get(name, ())


def start(chosen: str, columns: Columns, mapping: Mapping[str, str]) -> dict[str, str]:
    """The part of each column to begin with: what the person said before, else what was found."""
    known = {**columns.parts, **mapping}
    return {part: known[part] for part in parts_of(chosen, columns) if known.get(part)}


def missing(chosen: str, columns: Columns, mapping: Mapping[str, str]) -> str:
    """A sentence about what still lacks a column, or has one that is taken; empty: all is well."""
    parts = parts_of(chosen, columns)
    lacking = [part for part in parts if part not in mapping and part not in OPTIONAL_PARTS]
    if lacking:
        return f"{_listed(lacking)} {'needs' if len(lacking) == 1 else 'need'} a column"
    taken = [column for column in mapping.values() if list(mapping.values()).count(column) > 1]
    return f"{taken[0]} plays two parts" if taken else ""


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
