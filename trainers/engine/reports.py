"""Figures and reports of evaluations that several tasks share. Torch-free; loads scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from ..data.records import Record
from ..events import ReportEvent

MOST_CLASSES = 30
"""The largest confusion matrix that is shown whole."""
_WORST_ROWS = 10
_BINS = 10
_SHOWN_LENGTH = 120
_AVERAGES = ("macro", "micro", "weighted")


def class_figures(expected: np.ndarray, shares: np.ndarray) -> dict[str, float]:
    """Figures of a choice between classes, under scikit-learn's names.

    f1, precision and recall are those of the second class where there are two, else the mean over
    the classes. auc is one class against the rest, not a number where a class never occurs.

    Args:
        expected: the right class of each row, as a number.
        shares: each class's probability (rows, classes).
    """
    guessed = shares.argmax(-1)
    classes = range(shares.shape[1])
    figures = {"accuracy": float((guessed == expected).mean())}
    for way in _AVERAGES:
        figures |= _scores(expected, guessed, classes, way, f"_{way}")
    two = shares.shape[1] == 2
    figures |= _scores(expected, guessed, None if two else classes, "binary" if two else "macro")
    figures["auc"] = _auc(expected, shares[:, 1] if two else shares, classes)
    figures["calibration_error"] = _calibration_error(expected, shares)
    return figures


def label_figures(expected: np.ndarray, shares: np.ndarray) -> dict[str, float]:
    """Figures of independent yes-or-no labels; accuracy counts rows with every label right.

    Args:
        expected: 0 or 1 (rows, labels).
        shares: each label's probability (rows, labels).
    """
    guessed = (shares > 0.5).astype(int)
    figures = {"accuracy": float((guessed == expected).all(-1).mean())}
    for way in _AVERAGES:
        figures |= _scores(expected, guessed, None, way, f"_{way}")
    figures |= _scores(expected, guessed, None, "micro")
    usable = [n for n in range(expected.shape[1]) if len(set(expected[:, n])) == 2]
    areas = [metrics.roc_auc_score(expected[:, n], shares[:, n]) for n in usable]
    figures["auc"] = float(np.mean(areas)) if areas else float("nan")
    return figures


def regression_figures(expected: np.ndarray, guessed: np.ndarray) -> dict[str, float]:
    """Figures of numbers; several targets are averaged.

    Args:
        expected: the right numbers (rows, targets).
        guessed: the model's (rows, targets).
    """
    mean_square = float(metrics.mean_squared_error(expected, guessed))
    several = len(expected) > 1
    nothing = float("nan")
    return {
        "mse": mean_square,
        "rmse": mean_square**0.5,
        "mae": float(metrics.mean_absolute_error(expected, guessed)),
        "r2": float(metrics.r2_score(expected, guessed)) if several else nothing,
        "explained_variance": (
            float(metrics.explained_variance_score(expected, guessed)) if several else nothing
        ),
    }


def class_reports(
    expected: np.ndarray, shares: np.ndarray, names: Sequence[str], records: Sequence[Record]
) -> list[ReportEvent]:
    """Confusions, scores of each class, calibration, and the rows most wrong."""
    guessed = shares.argmax(-1)
    right = shares[np.arange(len(expected)), expected]
    worst = [
        (names[expected[row]], names[guessed[row]], float(right[row]), float(1 - right[row]))
        for row in range(len(expected))
    ]
    return [
        confusions(expected, guessed, names),
        class_scores(expected, guessed, names),
        calibration(expected, shares),
        worst_rows(records, worst, "probability of the right one"),
    ]


def label_reports(
    expected: np.ndarray, shares: np.ndarray, names: Sequence[str], records: Sequence[Record]
) -> list[ReportEvent]:
    """Scores of each label and the rows most wrong."""
    guessed = shares > 0.5
    distance = np.abs(expected - shares).max(-1)

    def listed(chosen: np.ndarray) -> str:
        return ", ".join(name for name, yes in zip(names, chosen, strict=True) if yes) or "none"

    worst = [
        (listed(expected[row] > 0), listed(guessed[row]), float(far), float(far))
        for row, far in enumerate(distance)
    ]
    scores = _per_class(expected, guessed.astype(int), names)
    return [scores, worst_rows(records, worst, "largest error of a label")]


def regression_reports(
    expected: np.ndarray, guessed: np.ndarray, names: Sequence[str], records: Sequence[Record]
) -> list[ReportEvent]:
    """How far off the numbers are, and the rows most wrong."""
    error = guessed - expected
    spread = np.where(expected.std(0) > 0, expected.std(0), 1.0)
    size = np.abs(error / spread).max(-1)

    def listed(numbers: np.ndarray) -> str:
        return ", ".join(f"{number:.4g}" for number in numbers)

    worst = [
        (listed(expected[row]), listed(guessed[row]), float(size[row]), float(size[row]))
        for row in range(len(expected))
    ]
    return [
        residuals(error, names),
        worst_rows(records, worst, "error in standard deviations"),
    ]


def confusions(expected: np.ndarray, guessed: np.ndarray, names: Sequence[str]) -> ReportEvent:
    """How often each class was taken for which; the commonest mistakes of many classes."""
    matrix = metrics.confusion_matrix(expected, guessed, labels=range(len(names)))
    if len(names) <= MOST_CLASSES:
        return ReportEvent(
            step=0,
            name="confusion_matrix",
            title="Confusion matrix (rows: right, columns: predicted)",
            form="matrix",
            columns=["", *names],
            rows=[[name, *map(int, counts)] for name, counts in zip(names, matrix, strict=True)],
        )
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(wrong, axis=None)[::-1][:MOST_CLASSES]
    pairs = [np.unravel_index(place, wrong.shape) for place in order]
    return ReportEvent(
        step=0,
        name="confusion_matrix",
        title="Commonest confusions",
        columns=["right", "predicted", "rows"],
        rows=[[names[a], names[b], int(wrong[a, b])] for a, b in pairs if wrong[a, b]],
    )


def class_scores(expected: np.ndarray, guessed: np.ndarray, names: Sequence[str]) -> ReportEvent:
    """Precision, recall and f1 of each class."""
    return _per_class(expected, guessed, names)


def calibration(expected: np.ndarray, shares: np.ndarray) -> ReportEvent:
    """How sure the model was, and how often it was right then."""
    rows: list[list[str | int | float | None]] = [
        [confidence, accuracy, count] for confidence, accuracy, count in _bins(expected, shares)
    ]
    return ReportEvent(
        step=0,
        name="calibration",
        title="Calibration",
        form="curve",
        columns=["confidence", "share right", "rows"],
        rows=rows,
        note="A well calibrated model is right as often as it is sure.",
    )


def residuals(error: np.ndarray, names: Sequence[str]) -> ReportEvent:
    """The spread of the errors of each target."""
    marks = (0, 5, 25, 50, 75, 95, 100)
    return ReportEvent(
        step=0,
        name="residuals",
        title="Errors (predicted minus right)",
        columns=["target", "mean", "deviation", *(f"{mark}%" for mark in marks)],
        rows=[
            [
                name,
                float(error[:, place].mean()),
                float(error[:, place].std()),
                *(float(value) for value in np.percentile(error[:, place], marks)),
            ]
            for place, name in enumerate(names)
        ],
    )


def worst_rows(
    records: Sequence[Record], outcomes: Sequence[tuple[Any, Any, float, float]], measure: str
) -> ReportEvent:
    """The rows that are furthest off.

    Args:
        records: the rows.
        outcomes: for each row what is right, what was predicted, the number to show, and how
            wrong it is.
        measure: what the number is.
    """
    order = sorted(range(len(outcomes)), key=lambda row: -outcomes[row][3])[:_WORST_ROWS]
    return ReportEvent(
        step=0,
        name="worst",
        title="Rows most wrong",
        columns=["row", "input", "right", "predicted", measure],
        rows=[
            [records[row].where, shown(records[row]), *map(_plain, outcomes[row][:3])]
            for row in order
        ],
    )


def shown(record: Record) -> str:
    """A row in few words: its first text or value."""
    values = list(record.values.values())
    first = next((value for value in values if isinstance(value, str)), values[0] if values else "")
    text = " ".join(map(str, first)) if isinstance(first, list) else str(first)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"


def softmax(scores: np.ndarray) -> np.ndarray:
    """Scores (rows, classes) as probabilities."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(-1, keepdims=True)
    return shares


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """Scores as probabilities of yes."""
    likely = 1 / (1 + np.exp(-np.abs(scores)))
    return np.asarray(np.where(scores >= 0, likely, 1 - likely))


def _plain(value: Any) -> str | int | float:
    return value if isinstance(value, int | float) else str(value)[:_SHOWN_LENGTH]


def _scores(
    expected: np.ndarray, guessed: np.ndarray, labels: Any, average: str, ending: str = ""
) -> dict[str, float]:
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        expected, guessed, labels=labels, average=average, zero_division=0
    )
    found = {"f1": f1, "precision": precision, "recall": recall}
    return {f"{name}{ending}": float(value) for name, value in found.items()}


def _per_class(expected: np.ndarray, guessed: np.ndarray, names: Sequence[str]) -> ReportEvent:
    found = metrics.precision_recall_fscore_support(
        expected, guessed, labels=range(len(names)), average=None, zero_division=0
    )
    return ReportEvent(
        step=0,
        name="per_class",
        title="Scores of each class",
        columns=["class", "precision", "recall", "f1", "rows"],
        rows=[
            [name, float(precision), float(recall), float(f1), int(rows)]
            for name, precision, recall, f1, rows in zip(names, *found, strict=True)
        ],
    )


def _auc(expected: np.ndarray, shares: np.ndarray, classes: Any) -> float:
    if len(set(expected.tolist())) < len(classes):
        return float("nan")
    options = {"multi_class": "ovr", "labels": list(classes)} if len(classes) > 2 else {}
    return float(metrics.roc_auc_score(expected, shares, **options))


def _bins(expected: np.ndarray, shares: np.ndarray) -> list[tuple[float, float, int]]:
    """Mean confidence, share right and number of rows of each band of confidence."""
    sure = shares.max(-1)
    right = shares.argmax(-1) == expected
    band = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    return [
        (float(sure[band == n].mean()), float(right[band == n].mean()), int((band == n).sum()))
        for n in range(_BINS)
        if (band == n).any()
    ]


def _calibration_error(expected: np.ndarray, shares: np.ndarray) -> float:
    """Expected calibration error: Guo et al. 2017, On Calibration of Modern Neural Networks."""
    bins = _bins(expected, shares)
    return sum(count * abs(sure - right) for sure, right, count in bins) / len(expected)
