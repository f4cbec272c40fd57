"""Rows to distil on: prompts with answers, or prompts alone where answers are written."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from ..data import Example, read_dataset
from ..data.preference_findings import examine_preferences, lacks_answers, preference_samples
from ..engine.job import Job
from ..language.rows import Row, Rows, need_validation, prepare_rows
from ..run_folder import write_json
from ..tasks.llm_distill import DistillSpec
from .rows import tokenise_preferences


def prepare_distill_rows(job: Job[DistillSpec], tokenizer: Any) -> Rows:
    """Read, check and tokenise the rows; what was found is kept with the run.

    Raises:
        DataError: the rows cannot be trained on.
        SpecError: the evaluation settings need validation rows, and there are none.
    """
    spec = job.spec
    dataset = read_dataset(spec.data)
    if not lacks_answers(dataset.train, spec):
        return prepare_rows(job, tokenizer, dataset)
    job.reporter.phase("preflight", spec.data.path)
    tokenised: dict[int, list[Row]] = {}

    def measure(examples: Sequence[Example]) -> list[int]:
        asked = tokenise_preferences(examples, tokenizer)
        rows = [Row(array("i", row.prompt), bytes(len(row.prompt)), 1.0) for row in asked]
        tokenised[id(examples)] = rows
        return [len(row.ids) for row in rows]

    findings = examine_preferences(dataset, spec, measure, as_chat=bool(tokenizer.chat_template))
    report = findings.report()
    job.fingerprint = report.fingerprint
    if job.reporter.main:
        write_json(job.run.preflight, report.model_dump(mode="json"))
    for problem in report.warnings:
        job.reporter.warn(problem.message, problem.where)
    train, validation = (
        tokenised.get(id(findings.examples(split)), []) for split in ("train", "validation")
    )
    need_validation(job, validation)
    job.chat = any(built.chat for built in findings.built.values())
    built = findings.built.get("validation")
    samples = preference_samples(built, spec.evaluation.samples) if built else []
    return Rows(train, validation, samples, job.chat)
