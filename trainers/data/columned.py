"""The look at a dataset of a task with columns: rows read, checked, counted and split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import DataError, Problem
from ..registry import find_task
from ..spec import RunSpec
from . import checks
from .cells import EmptyCellError, MistakeError, weight_cell
from .columns import describe_columns
from .parts import find_parts
from .problems import missing_column
from .read import Layout, read_dataset
from .records import Cells, Record, Records
from .report import ColumnReport, PreflightReport, SplitReport
from .rules import RowRules
from .table import Dataset, Table, where_all

Lengths = Callable[[Sequence[Record]], Sequence[int]]
_SAMPLE_INPUTS = 20


@dataclass
class ColumnedFindings:
    """What was found.

    Attributes:
        dataset: what was looked at.
        columns: the columns of the training rows.
        parts: which column plays which part.
        built: the records of ``train`` and ``validation``.
        splits: the same in numbers.
        problems: what stops a run.
        warnings: what does not.
    """

    dataset: Dataset
    columns: list[ColumnReport]
    rules: RowRules[RunSpec]
    parts: dict[str, str] = field(default_factory=dict)
    built: dict[str, Records] = field(default_factory=dict)
    splits: dict[str, SplitReport] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def records(self, split: str) -> list[Record]:
        """The records of train or validation; none of a split that is not there."""
        return self.built[split].records if split in self.built else []

    @property
    def classes(self) -> dict[str, dict[str, int]]:
        """How often each class occurs, by split."""
        counted = {name: self.rules.classes(self.records(name)) for name in self.built}
        return {name: counts for name, counts in counted.items() if counts}

    def report(self) -> PreflightReport:
        """The report of a dataset that can be trained on. Raises DataError of one that cannot."""
        if self.problems:
            raise DataError(self.problems)
        dataset = self.dataset
        shown = self.records("validation") or self.records("train")
        return PreflightReport(
            source=dataset.source,
            fingerprint=dataset.fingerprint,
            format="columns",
            parts=self.parts,
            columns=self.columns,
            train=self.splits["train"],
            validation=self.splits.get("validation"),
            validation_made=dataset.validation_made,
            warnings=self.warnings,
            classes=self.classes,
            sample_inputs=[self.rules.shown(record) for record in shown[:_SAMPLE_INPUTS]],
        )


def rules_of(spec: RunSpec) -> RowRules[RunSpec]:
    """The rules of the spec's task."""
    made: RowRules[RunSpec] = find_task(spec.task).imported("rules")(spec)
    return made


def read_columned(spec: RunSpec) -> ColumnedFindings:
    """Read the rows that a spec names and look at everything about them.

    Raises:
        DataError: the rows cannot be read at all. What is wrong with them is in the findings.
    """
    task, rules = find_task(spec.task), rules_of(spec)

    def strata(table: Table) -> str | None:
        parts, problems = find_parts(table, task, spec.data.column_mapping)
        return None if problems else parts.get(rules.stratify)

    dataset = read_dataset(spec.data, Layout(strata, rules.folder, rules.file))
    findings = ColumnedFindings(dataset, describe_columns(dataset.train), rules)
    findings.parts, findings.problems = find_parts(dataset.train, task, spec.data.column_mapping)
    if not findings.problems:
        _build(findings, spec)
    if not findings.problems and dataset.validation_made:
        _keep_classes_together(findings)
    if not findings.problems:
        splits = {name: built.records for name, built in findings.built.items()}
        findings.problems += rules.problems(splits)
        findings.warnings += rules.warnings(splits)
    _count(findings, spec)
    findings.dataset = _with_content(findings)
    return findings


def add_lengths(findings: ColumnedFindings, measure: Lengths, limit: int, key: str) -> None:
    """Put token lengths into the findings, with a warning about rows that will be cut.

    Args:
        findings: of rows that can be trained on.
        measure: the length of each record in tokens.
        limit: the longest that is kept whole.
        key: the setting that raises the limit.
    """
    for name, split in findings.splits.items():
        records = findings.records(name)
        lengths = measure(records)
        split.lengths = checks.length_report(lengths, "tokens")
        places = [r.where for r, length in zip(records, lengths, strict=True) if length > limit]
        split.too_long = len(places)
        findings.warnings += checks.too_long(places, len(records), limit, key)


def _build(findings: ColumnedFindings, spec: RunSpec) -> None:
    """Read every row; what is wrong or empty is gathered by its text."""
    tables = findings.dataset.splits()
    for name, table in tables.items():
        missing = _missing(findings.parts, table, spec, name)
        findings.problems += missing
        if not missing:
            findings.built[name] = _records(table, findings, spec.data.row_weights)
    known = [(built, len(tables[name])) for name, built in findings.built.items()]
    stops = checks.too_many_empty(known)
    for built, total in known:
        empty = checks.empty_rows(built, total, stops=stops)
        (findings.problems if stops else findings.warnings).extend(empty)
        findings.problems += [Problem(text, where_all(at)) for text, at in built.wrong.items()]
    if findings.problems:
        return
    for name, built in findings.built.items():
        if not built.records:
            findings.problems.append(Problem("has no rows that are not empty", tables[name].name))


def _with_content(findings: ColumnedFindings) -> Dataset:
    """The dataset with the files that its rows name counted in its fingerprint."""
    records = [record for built in findings.built.values() for record in built.records]
    contents = [content for record in records if (content := findings.rules.content(record))]
    if not contents:
        return findings.dataset
    whole = hashlib.sha256("\n".join([findings.dataset.fingerprint, *contents]).encode())
    return replace(findings.dataset, fingerprint=whole.hexdigest())


def _keep_classes_together(findings: ColumnedFindings) -> None:
    """Give rows of a made validation split back whose classes no training row has."""
    train, validation = findings.built["train"], findings.built["validation"]
    known = findings.rules.classes(train.records).keys()
    fits = [findings.rules.classes([record]).keys() <= known for record in validation.records]
    pairs = list(zip(validation.records, fits, strict=True))
    train.records += [record for record, fit in pairs if not fit]
    validation.records = [record for record, fit in pairs if fit]
    if not validation.records:
        del findings.built["validation"]


def _missing(parts: dict[str, str], table: Table, spec: RunSpec, split: str) -> list[Problem]:
    wanted = [name for text in parts.values() for name in _names(text, table)]
    weight = spec.data.row_weights
    problems = [
        Problem(missing_column(name, table.columns), table.name)
        for name in wanted
        if name not in table.columns
    ]
    # Weights are for training alone.
    if weight and split == "train" and weight not in table.columns:
        text = missing_column(weight, table.columns, "data.weight_column")
        problems.append(Problem(text, table.name))
    return problems


def _names(text: str, table: Table) -> list[str]:
    return [text] if text in table.columns else [name.strip() for name in text.split(",")]


def _records(table: Table, findings: ColumnedFindings, weight: str | None) -> Records:
    built = Records()
    for index, row in enumerate(table.rows):
        where = table.where(index)
        try:
            values = findings.rules.read(Cells(row, findings.parts, table.folder))
            counts = weight_cell(row[weight], weight) if weight and weight in row else 1.0
        except EmptyCellError as error:
            built.empty.setdefault(str(error), []).append(where)
        except MistakeError as error:
            built.wrong.setdefault(str(error), []).append(where)
        else:
            built.records.append(Record(values, where, counts))
    return built


def _count(findings: ColumnedFindings, spec: RunSpec) -> None:
    dataset = findings.dataset
    for name, table in dataset.splits().items():
        if name not in findings.built and findings.built:
            continue
        records = findings.records(name)
        left_out = findings.built[name].empty.values() if name in findings.built else ()
        lengths = [findings.rules.length(record) for record in records]
        findings.splits[name] = SplitReport(
            name=table.name,
            rows=len(records) + sum(map(len, left_out)) if records else len(table),
            used=len(records),
            lengths=checks.length_report(lengths, "characters") if any(lengths) else None,
        )
        findings.warnings += _repeated(records)
    findings.warnings += _leaked(findings.records("train"), findings.records("validation"))
    if "validation" not in findings.built and spec.data.validation_fraction:
        text = "too few different rows to set any aside, so nothing is measured"
        findings.warnings.append(Problem(text, dataset.train.name))


def _repeated(records: Sequence[Record]) -> list[Problem]:
    seen: set[str] = set()
    places = []
    for record in records:
        key = repr(record.values)
        if key in seen:
            places.append(record.where)
        seen.add(key)
    return checks.repetition(places)


def _leaked(train: Sequence[Record], validation: Sequence[Record]) -> list[Problem]:
    known = {repr(record.values) for record in train}
    places = [record.where for record in validation if repr(record.values) in known]
    if not places:
        return []
    share = f"{len(places)} of {len(validation)} validation rows"
    text = f"{share} are trained on too, so the measured quality will look better than it is"
    return [Problem(text, where_all(places))]


def as_json(value: Any) -> Any:
    """A value of a record in plain JSON types."""
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    return value if isinstance(value, str | int | float | bool | None) else str(value)
