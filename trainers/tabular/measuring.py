"""How good a model's answers are, and its answers as probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from ..data.records import Record
from ..engine import reports
from ..events import ReportEvent
from .targets import Targets

HIGHER_IS_BETTER = frozenset({"accuracy", "f1_macro", "roc_auc", "r2"})


def answers(model: Any, frame: Any, targets: Targets) -> list[Any]:
    """A trained pipeline's answer for each target: probabilities (rows, classes), or numbers."""
    several = len(targets.names) > 1
    if not targets.classes:
        guessed = np.asarray(model.predict(frame), dtype=float).reshape(len(frame), -1)
        return [guessed[:, place] for place in range(len(targets.names))]
    if hasattr(model, "predict_proba"):
        found = model.predict_proba(frame)
        shares = list(found) if several else [found]
        known = model.classes_ if several else [model.classes_]
    else:
        # A pipeline with one model a target says its scores as a list only by its parts.
        shares, known = _from_scores(model, frame, several=several)
    names = [targets.classes[name] for name in targets.names]
    return [
        _all_classes(share, place, len(all_names))
        for share, place, all_names in zip(shares, known, names, strict=True)
    ]


def score(expected: Any, answer: Any, metric: str) -> float:
    """One figure of one target, under the spec's name for it."""
    if metric == "log_loss":
        right = answer[np.arange(len(expected)), expected]
        return float(-np.log(np.clip(right, 1e-15, 1.0)).mean())
    if metric == "accuracy":
        return float((answer.argmax(-1) == expected).mean())
    if metric == "f1_macro":
        return float(metrics.f1_score(expected, answer.argmax(-1), average="macro"))
    if metric == "roc_auc":
        return reports.class_figures(expected, answer)["auc"]
    return reports.regression_figures(expected[:, None], answer[:, None])[metric]


def mean_score(expected: Any, given: Sequence[Any], metric: str) -> float:
    """The figure over all targets; not a number is left out where another target has one."""
    each = [score(expected[:, place], answer, metric) for place, answer in enumerate(given)]
    known = [value for value in each if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def measure(
    records: Sequence[Record], expected: Any, given: Sequence[Any], targets: Targets
) -> tuple[dict[str, float], list[ReportEvent]]:
    """Every figure and report of validation rows; a target of several adds its name to them."""
    figures: dict[str, float] = {}
    events: list[ReportEvent] = []
    if not targets.classes:
        guessed = np.stack(given, axis=1)
        figures = reports.regression_figures(expected, guessed)
        if len(targets.names) > 1:
            for place, name in enumerate(targets.names):
                own = reports.regression_figures(expected[:, [place]], guessed[:, [place]])
                figures |= {f"{key}_{name}": value for key, value in own.items()}
        return figures, reports.regression_reports(expected, guessed, targets.names, records)
    each = []
    for place, name in enumerate(targets.names):
        # A class that was never trained on cannot be found; it counts as wrong nowhere else.
        rows = np.flatnonzero(expected[:, place] >= 0)
        right, shares = expected[rows, place], given[place][rows]
        own = {**reports.class_figures(right, shares), "log_loss": score(right, shares, "log_loss")}
        each.append(own)
        shown = reports.class_reports(
            right, shares, targets.classes[name], [records[int(row)] for row in rows]
        )
        if len(targets.names) > 1:
            figures |= {f"{key}_{name}": value for key, value in own.items()}
            shown = [
                event.model_copy(
                    update={"name": f"{event.name}_{name}", "title": f"{name}: {event.title}"}
                )
                for event in shown
            ]
        events += shown
    means = {key: float(np.mean([own[key] for own in each])) for key in each[0]}
    return {**means, **figures}, events


def _from_scores(model: Any, frame: Any, *, several: bool) -> tuple[list[Any], list[Any]]:
    if not several:
        return [_shares(model.decision_function(frame))], [model.classes_]
    inner, prepared = model[-1], model[:-1].transform(frame)
    shares = [_shares(part.decision_function(prepared)) for part in inner.estimators_]
    return shares, [part.classes_ for part in inner.estimators_]


def _shares(scores: Any) -> Any:
    if scores.ndim == 1:
        yes = reports.sigmoid(scores)
        return np.stack([1 - yes, yes], axis=1)
    return reports.softmax(scores)


def _all_classes(shares: Any, known: Any, count: int) -> Any:
    """Probabilities of all classes, also of those that the model has not seen."""
    if shares.shape[1] == count:
        return shares
    whole = np.zeros((len(shares), count))
    whole[:, np.asarray(known, dtype=int)] = shares
    return whole
