"""Reports of a search: what was tried, and which columns matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..events import ReportEvent
from .measuring import answers, mean_score
from .search import Rows, Search
from .trials import Trial

_MOST_TRIALS = 20
_MOST_COLUMNS = 30
# Shuffling a column asks the model for all rows again; so many say enough.
_MOST_ROWS = 2000


def leaderboard(trials: Sequence[Trial], metric: str, direction: int) -> ReportEvent:
    """The best trials, with their settings."""
    complete = [trial for trial in trials if trial.state == "complete"]
    order = sorted(complete, key=lambda trial: -direction * trial.score)[:_MOST_TRIALS]
    given_up = sum(trial.state == "pruned" for trial in trials)
    failed = sum(trial.state == "failed" for trial in trials)
    return ReportEvent(
        step=0,
        name="trials",
        title="Best trials",
        columns=["trial", "model", metric, "spread", "seconds", "settings"],
        rows=[
            [
                trial.number,
                trial.estimator,
                trial.score,
                float(np.std(trial.scores)),
                trial.seconds,
                ", ".join(f"{name} {_plain(value)}" for name, value in trial.settings.items()),
            ]
            for trial in order
        ],
        note=f"{len(trials)} trials, {given_up} given up early, {failed} failed.",
    )


def importance(search: Search, model: object, rows: Rows) -> ReportEvent:
    """How much worse the model is when one column's values are shuffled among the rows.

    Source: permutation importance, Breiman 2001, Random Forests, section 10.
    """
    chance = np.random.default_rng(search.spec.search.seed)
    known = np.flatnonzero((rows.expected >= 0).all(1) | (not search.targets.classes))
    if len(known) > _MOST_ROWS:
        known = np.sort(chance.choice(known, _MOST_ROWS, replace=False))
    part = rows.pick(known)
    whole = _figure(search, model, part.frame, part)
    lost = []
    for name in search.features.names:
        drops = []
        for _ in range(search.spec.search.importance_repeats):
            shuffled = part.frame.copy()
            shuffled[name] = shuffled[name].take(chance.permutation(len(shuffled))).array
            drops.append(search.direction * (whole - _figure(search, model, shuffled, part)))
        lost.append((name, float(np.mean(drops)), float(np.std(drops))))
    lost.sort(key=lambda entry: -entry[1])
    return ReportEvent(
        step=0,
        name="importance",
        title="Columns that matter",
        form="bars",
        columns=["column", f"loss of {search.metric}", "spread"],
        rows=[list(entry) for entry in lost[:_MOST_COLUMNS]],
        note="How much worse the model is when the column is shuffled.",
    )


def _figure(search: Search, model: object, frame: object, rows: Rows) -> float:
    return mean_score(rows.expected, answers(model, frame, search.targets), search.metric)


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
