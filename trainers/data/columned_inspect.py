"""A look at a dataset of a task with columns, as ``data inspect`` shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ..errors import LuthierError, Problem, ProblemsError
from ..registry import find_task
from ..spec import RunSpec
from .columned import ColumnedFindings, as_json, read_columned
from .report import InspectReport, RenderedRow, Segment

_SHOWN_ROWS = 2


def inspect_columned(spec: RunSpec) -> InspectReport:
    """Look at the data that a spec names. Mistakes in the data are part of the report."""
    report = InspectReport(source=spec.data.path, task=spec.task)
    try:
        found = read_columned(spec)
    except ProblemsError as error:
        report.problems = list(error.problems)
        return report
    except LuthierError as error:
        report.problems = [Problem(str(error))]
        return report
    report.format, report.parts = "columns", found.parts
    report.fingerprint = found.dataset.fingerprint
    report.validation_made = found.dataset.validation_made
    report.columns = found.columns
    report.train = found.splits["train"]
    report.validation = found.splits.get("validation")
    report.problems, report.warnings = found.problems, found.warnings
    if not found.problems:
        report.classes = found.classes
        report.rows = list(islice(_rows(found, spec), _SHOWN_ROWS))
    return report


def _rows(found: ColumnedFindings, spec: RunSpec) -> Iterator[RenderedRow]:
    """The first rows: what the model is given, and what it is to learn."""
    learned = find_task(spec.task).learned
    for record in found.records("train"):
        yield RenderedRow(
            where=record.where,
            segments=[
                Segment(text=f"{role}: {_text(value)}\n", trained=role in learned)
                for role, value in found.rules.shown(record).items()
            ],
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(as_json(value), ensure_ascii=False)
