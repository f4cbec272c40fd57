"""A run on a table: rows, search, the best model on all rows, its figures, the result."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..data.columned import ColumnedFindings, read_columned
from ..data.records import Record
from ..engine.card import write_card
from ..engine.folders import replace_folder, staging
from ..engine.job import Job, Result
from ..engine.provenance import write_provenance
from ..engine.uploading import push
from ..errors import DataError, Problem
from ..events import CheckpointEvent, EvaluationEvent, MetricsEvent, ProgressEvent, ReportEvent
from ..events import finite as finite_values
from ..run_folder import write_json
from ..spec.tabular_sections import TabularSpec
from .features import as_frame, find_kinds
from .measuring import answers, measure
from .reporting import importance, leaderboard
from .results import About, save
from .search import Rows, Search, run_search
from .targets import Targets
from .trials import Trial, TrialLog

_TRIALS = "trials.jsonl"


def train(job: Job[TabularSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry.

    It may be stopped at any moment: every trial is kept when it ends, and a resumed run goes on
    with the next one.
    """
    threads = _threads(job.spec)
    with job.stop.interruptible(), threadpool_limits(threads):
        return _train(job, threads)


def _train(job: Job[TabularSpec], threads: int) -> Result:
    spec = job.spec
    found = _checked_rows(job)
    train_records, validation = found.records("train"), found.records("validation")
    targets = Targets.of(train_records, classification=spec.task == "tabular-classification")
    kinds = find_kinds([record.values["features"] for record in train_records], spec.data)
    for name, reason in kinds.left_out.items():
        job.reporter.warn(f"{name} is not learnt from: it is {reason}", spec.data.path)
    if not kinds.features.names:
        raise DataError([Problem("no column is left to learn from", spec.data.path)])
    search = Search(spec, kinds.features, targets, threads)
    rows = _rows(train_records, search)
    log = TrialLog(job.run.checkpoints / _TRIALS)
    job.reporter.phase("searching", f"{spec.search.num_trials} trials")
    run_search(search, rows, log, _Teller(job, search, log))
    job.reporter.phase("training", "the best on all rows")
    best = search.best(log.complete())
    model, about = _final(search, log, best)
    search.fit(model, rows)
    figures = _measured(job, search, model, rows, validation, log)
    return _finish(job, model, about, figures, steps=len(log.trials))


def _checked_rows(job: Job[TabularSpec]) -> ColumnedFindings:
    job.reporter.phase("preflight", job.spec.data.path)
    found = read_columned(job.spec)
    report = found.report()
    job.fingerprint = report.fingerprint
    write_json(job.run.preflight, report.model_dump(mode="json"))
    for problem in report.warnings:
        job.reporter.warn(problem.message, problem.where)
    write_provenance(job)
    return found


def _threads(spec: TabularSpec) -> int:
    return spec.launch.threads or int(os.environ.get("OMP_NUM_THREADS", "0")) or 1


def _rows(records: Sequence[Record], search: Search) -> Rows:
    spec, targets = search.spec, search.targets
    frame = as_frame([record.values["features"] for record in records], search.features)
    expected = targets.values(records)
    if spec.data.weight_column is None and not spec.balanced:
        return Rows(frame, expected, None)
    weights = np.array([record.weight for record in records])
    if spec.balanced:
        # scikit-learn's "balanced": rows / (classes * rows of the class), over all targets.
        for column in expected.T:
            counts = np.bincount(column)
            weights = weights * (len(column) / (len(counts) * counts))[column]
    return Rows(frame, expected, weights)


class _Teller:
    """Says how each trial went."""

    def __init__(self, job: Job[TabularSpec], search: Search, log: TrialLog) -> None:
        self._job = job
        self._search = search
        self._log = log
        self._begun = time.monotonic()
        self._before = sum(trial.seconds for trial in log.trials)

    def __call__(self, trial: Trial) -> None:
        settings, complete = self._search.spec.search, self._log.complete()
        best = self._search.best(complete) if complete else None
        metric = self._search.metric
        values = {metric: trial.score, f"seconds_{trial.estimator}": trial.seconds}
        if best is not None:
            values[f"best_{metric}"] = best.score
        spent = sum(each.seconds for each in self._log.trials)
        left = (settings.num_trials - trial.number) * spent / trial.number
        emit = self._job.reporter.emit
        if trial.reason:
            self._job.reporter.warn(f"trial {trial.number} failed: {trial.reason}")
        emit(MetricsEvent(step=trial.number, values=finite_values(values)))
        emit(
            ProgressEvent(
                step=trial.number,
                total=settings.num_trials,
                seconds_left=min(left, max(0.0, settings.time_limit - spent)),
            )
        )
        path = (self._job.run.checkpoints / _TRIALS).relative_to(self._job.run.path)
        emit(CheckpointEvent(step=trial.number, path=str(path), best=best is trial))


def _final(search: Search, log: TrialLog, best: Trial) -> tuple[Any, About]:
    """The untrained model that won, and what is to be known about it."""
    targets, features = search.targets, search.features
    estimator, settings = best.estimator, best.settings
    if search.spec.stacking:
        kinds = dict.fromkeys(trial.estimator for trial in log.complete())
        winners = [
            search.best([trial for trial in log.complete() if trial.estimator == kind])
            for kind in kinds
        ]
        model = search.build_stack(winners)
        estimator, settings = "stacking", {trial.estimator: trial.settings for trial in winners}
    else:
        model = search.build(estimator, settings)
    about = About(
        task=search.spec.task,
        estimator=estimator,
        settings=settings,
        numbers=features.numbers,
        words=features.words,
        targets=list(targets.names),
        classes=targets.classes,
    )
    return model, about


def _measured(
    job: Job[TabularSpec],
    search: Search,
    model: Any,
    rows: Rows,
    validation: Sequence[Record],
    log: TrialLog,
) -> dict[str, float | None]:
    """Figures of the result, with reports of what they come from."""
    job.reporter.phase("evaluating")
    step = len(log.trials)
    reports: list[ReportEvent] = [leaderboard(log.trials, search.metric, search.direction)]
    best = search.best(log.complete())
    figures: dict[str, float | None] = {f"cross_validated_{search.metric}": best.score}
    measured = rows
    if validation:
        measured = _rows_measured(validation, search)
        given = answers(model, measured.frame, search.targets)
        values, shown = measure(validation, measured.expected, given, search.targets)
        figures |= finite_values({f"eval_{name}": value for name, value in values.items()})
        reports += shown
    if search.spec.search.importance_repeats:
        reports.append(importance(search, model, measured))
    job.reporter.emit(EvaluationEvent(step=step, values=figures))
    for report in reports:
        job.reporter.emit(report.model_copy(update={"step": step}))
    return figures


def _rows_measured(records: Sequence[Record], search: Search) -> Rows:
    frame = as_frame([record.values["features"] for record in records], search.features)
    return Rows(frame, search.targets.values(records), None)


def _finish(
    job: Job[TabularSpec],
    model: Any,
    about: About,
    figures: dict[str, float | None],
    *,
    steps: int,
) -> Result:
    job.reporter.phase("saving")
    run, target = job.run, job.run.model
    staged = staging(target)
    shutil.rmtree(staged, ignore_errors=True)
    save(staged, model, about)
    write_json(run.artifacts / "metrics.json", figures)
    write_card(staged, run, job.spec, figures)
    replace_folder(staged, target)
    if job.spec.output.push_to_hub:
        job.reporter.phase("uploading", job.spec.output.hub_model_id or "")
        push(run, target, job.spec)
    return Result(steps, artifact=str(target.relative_to(run.path)), metrics=figures)
