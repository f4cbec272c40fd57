"""The check of a dataset before any model loads."""

from __future__ import annotations

from ..spec import TextSpec
from .findings import Measure, examine
from .report import PreflightReport
from .table import Dataset

__all__ = ["Measure", "preflight"]


def preflight(
    dataset: Dataset, spec: TextSpec, measure: Measure | None = None, *, as_chat: bool | None = None
) -> PreflightReport:
    """Look for everything that would spoil a run.

    Args:
        dataset: what read_dataset returned.
        spec: the run; its data section, loss settings and length limit are looked at.
        measure: token lengths of examples, uncut; without it lengths are in characters and the
            limit is not checked.
        as_chat: as for build_examples; None while no tokenizer has told.

    Raises:
        DataError: with every problem that stops the run. Warnings are in the report.
    """
    return examine(dataset, spec, measure, as_chat=as_chat).report()
