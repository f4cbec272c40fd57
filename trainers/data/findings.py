"""Everything that a look at a dataset finds, whether it can be trained on or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import DataError, Problem
from ..spec import TextSpec
from ..tasks.llm_sft import SupervisedSpec
from . import checks
from .columns import describe_columns
from .examples import Built, build
from .formats import OPTIONAL_PARTS, Recognition, recognise
from .problems import missing_column
from .report import ColumnReport, InspectReport, PreflightReport, SplitReport
from .row_reader import Example
from .table import Dataset, Table
from .tokens import RenderSettings

Measure = Callable[[Sequence[Example]], Sequence[int]]
TooLong = Callable[[list[str], int, int], Iterable[Problem]]


@dataclass
class Findings:
    """What was found.

    Attributes:
        dataset: what was looked at.
        columns: the columns of the training rows.
        recognition: how rows are read; None when no format fits.
        built: the examples of ``train`` and ``validation``, as far as they could be built.
        splits: the same splits in numbers.
        problems: what stops a run.
        warnings: what does not.
    """

    dataset: Dataset
    columns: list[ColumnReport]
    recognition: Recognition | None = None
    built: dict[str, Built] = field(default_factory=dict)
    splits: dict[str, SplitReport] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def examples(self, split: str) -> list[Example]:
        """The examples of train or validation; none of a split that is not there."""
        return self.built[split].examples if split in self.built else []

    def fill(self, report: InspectReport) -> None:
        """Put everything into the report of a look at a dataset."""
        report.fingerprint = self.dataset.fingerprint
        report.validation_made = self.dataset.validation_made
        report.columns = self.columns
        report.train = self.splits["train"]
        report.validation = self.splits.get("validation")
        report.problems, report.warnings = self.problems, self.warnings
        if self.recognition:
            report.format, report.parts = self.recognition.format, self.recognition.parts
            report.chat = any(built.chat for built in self.built.values())

    def report(self) -> PreflightReport:
        """The report of a dataset that can be trained on. Raises DataError of one that cannot."""
        if self.problems or self.recognition is None:
            raise DataError(self.problems)
        dataset = self.dataset
        return PreflightReport(
            source=dataset.source,
            fingerprint=dataset.fingerprint,
            format=self.recognition.format,
            parts=self.recognition.parts,
            columns=self.columns,
            train=self.splits["train"],
            validation=self.splits.get("validation"),
            validation_made=dataset.validation_made,
            warnings=self.warnings,
            sample_prompts=checks.sample_prompts(self.built.get("validation", self.built["train"])),
        )


def examine(
    dataset: Dataset,
    spec: TextSpec,
    measure: Measure | None = None,
    *,
    as_chat: bool | None = None,
) -> Findings:
    """Look at everything; arguments as for preflight. Nothing is raised about the data."""
    findings = Findings(dataset, describe_columns(dataset.train))
    try:
        findings.recognition = recognise(dataset.train, spec.data, task=spec.task)
        _build(findings, findings.recognition, spec, as_chat=bool(as_chat))
    except DataError as error:
        findings.problems += error.problems
    for name, table in dataset.splits().items():
        findings.splits[name] = SplitReport(
            name=table.name, rows=len(table), used=len(findings.examples(name))
        )
    for built in findings.built.values():
        findings.warnings += checks.repeated(built)
        findings.warnings += checks.unusual_order(built)
    if "train" in findings.built:
        _check_settings(findings, findings.built["train"], spec, known_chat=as_chat is not None)
    if {"train", "validation"} <= findings.built.keys():
        findings.warnings += checks.leaked(findings.built["train"], findings.built["validation"])
    if dataset.validation is None and spec.data.validation_fraction:
        text = "too few different rows to set any aside, so nothing is measured"
        findings.warnings.append(Problem(text, dataset.train.name))
    for name in findings.built:
        measure_lengths(findings, name, measure, length_limit(spec))
    return findings


def _build(findings: Findings, recognition: Recognition, spec: TextSpec, *, as_chat: bool) -> None:
    columns = {name for part, name in recognition.parts.items() if part not in OPTIONAL_PARTS}
    columns |= {spec.data.weight_column} if spec.data.weight_column else set()
    tables = findings.dataset.splits()
    for name, table in tables.items():
        missing = _missing(table, columns, spec, name)
        if missing:
            findings.problems += missing
            continue
        built = build(table, spec.data, recognition, task=spec.task, as_chat=as_chat)
        findings.built[name] = built
        findings.problems += built.problems()
    known = {name: (built, len(tables[name])) for name, built in findings.built.items()}
    stops = checks.too_many_empty(known.values())
    for built, total in known.values():
        empty = checks.empty_rows(built, total, stops=stops)
        (findings.problems if stops else findings.warnings).extend(empty)


def _missing(table: Table, columns: set[str], spec: TextSpec, split: str) -> list[Problem]:
    """Columns that the rows need and that are not there; weights are for training alone."""
    weight = spec.data.weight_column
    wanted = [name for name in sorted(columns) if name != weight or split == "train"]
    return [
        Problem(
            missing_column(name, table.columns, "data.weight_column" * (name == weight)),
            table.name,
        )
        for name in wanted
        if name not in table.columns
    ]


def _check_settings(findings: Findings, train: Built, spec: TextSpec, *, known_chat: bool) -> None:
    """Settings against what the rows turned out to be."""
    findings.warnings += checks.flattened(spec.task, train, findings.dataset.train.name)
    only_text = findings.recognition is not None and findings.recognition.format == "text"
    # Without a tokenizer nobody knows yet whether plain prompts will become chats.
    if not known_chat and not train.chat and not only_text:
        return
    findings.problems += checks.loss_settings(RenderSettings.of(spec), train)
    findings.warnings += checks.unused_system_prompt(spec.data, train)
    if spec.data.prompt_template is None and spec.data.prompt_function is None:
        findings.warnings += checks.touching(train)


def measure_lengths(
    findings: Findings,
    name: str,
    measure: Measure | None,
    limit: int | None,
    *,
    characters: Callable[[Example], int] = checks.characters,
    too_long: TooLong = checks.too_long,
) -> None:
    """Note how long the examples of a split are, and which are longer than they may be.

    Args:
        findings: what is added to.
        name: of the split.
        measure: token lengths of examples, uncut; without it lengths are in characters.
        limit: tokens of a row that are trained on; None where there is no limit.
        characters: of an example.
        too_long: what to say of examples beyond the limit: their places, all lengths, the limit.
    """
    split, built = findings.splits[name], findings.built[name]
    if measure is None or findings.problems:
        split.lengths = checks.length_report(map(characters, built.examples), "characters")
        return
    try:
        measured = measure(built.examples)
    except DataError as error:
        findings.problems += error.problems
        return
    split.lengths = checks.length_report(measured, "tokens")
    if limit is not None:
        places = checks.over_limit(built, measured, limit)
        split.too_long = len(places)
        findings.warnings += too_long(places, len(measured), limit)


def length_limit(spec: TextSpec) -> int | None:
    """How many tokens of a row are trained on; None where rows are not cut one by one."""
    if not isinstance(spec, SupervisedSpec):
        return None
    training = spec.training
    wrapped = training.packing and training.packing_strategy == "wrapped"
    return None if wrapped else training.max_length
