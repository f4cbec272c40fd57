"""What vectors are worth: figures and reports. Torch-free; loads scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics

from ..data.records import Record
from ..engine import reports
from ..events import ReportEvent

_DEPTH = 100
_AT_ONCE = 512
_BANDS = ((1, 1), (2, 5), (6, 10), (11, 100))


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors with a length of 1, zeros left alone."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12))


def similarities(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The cosine of each pair of rows."""
    return np.asarray((unit(first) * unit(second)).sum(-1))


def cut(vectors: Mapping[str, np.ndarray], length: int) -> dict[str, np.ndarray]:
    """The vectors cut to their first numbers."""
    return {role: rows[:, :length] for role, rows in vectors.items()}


def by_length(
    vectors: Mapping[str, np.ndarray],
    lengths: Sequence[int],
    figure: str,
    measure: Callable[[Mapping[str, np.ndarray]], Mapping[str, float]],
) -> list[ReportEvent]:
    """A figure of vectors cut to each of the lengths, as a report; none without lengths.

    Args:
        figure: the one of those that ``measure`` finds.
    """
    if not lengths:
        return []
    whole = next(iter(vectors.values())).shape[1]
    rows: list[list[str | int | float | None]] = [
        [length, float(measure(cut(vectors, length))[figure])]
        for length in sorted({*lengths, whole}, reverse=True)
    ]
    return [
        ReportEvent(
            step=0,
            name="lengths",
            title="Vectors cut to each length",
            columns=["length", figure],
            rows=rows,
        )
    ]


@dataclass
class Search:
    """What looking for texts' partners found.

    Attributes:
        figures: of all queries together.
        ranks: of each row, the place of the nearest right text, from 1.
        nearest: of each row, the text that came first.
    """

    figures: dict[str, float]
    ranks: list[int]
    nearest: list[str]


def search(
    queries: Sequence[str], texts: Sequence[str], first: np.ndarray, second: np.ndarray
) -> Search:
    """Look for the text of each row among the different texts of all rows, by cosine.

    A query that stands in several rows has several right texts. The figures are those of
    information retrieval: accuracy (a right text among the first k), recall, reciprocal rank,
    nDCG (Järvelin and Kekäläinen 2002, gains of 1) and average precision.

    Args:
        queries: what is looked with, one a row.
        texts: what is to be found, one a row.
        first: the vectors of the queries.
        second: the vectors of the texts.
    """
    asked = {query: row for row, query in reversed(list(enumerate(queries)))}
    there = {text: row for row, text in reversed(list(enumerate(texts)))}
    names, numbers = list(there), {text: number for number, text in enumerate(there)}
    right: dict[str, set[int]] = {query: set() for query in asked}
    for query, text in zip(queries, texts, strict=True):
        right[query].add(numbers[text])
    corpus = unit(second[list(there.values())])
    wanted = unit(first[list(asked.values())])
    ranks: dict[str, int] = {}
    nearest: dict[str, str] = {}
    scores: list[dict[str, float]] = []
    keys = list(asked)
    for start in range(0, len(keys), _AT_ONCE):
        found = wanted[start : start + _AT_ONCE] @ corpus.T
        order = np.argsort(-found, axis=1, kind="stable")
        for query, row in zip(keys[start : start + _AT_ONCE], order, strict=True):
            hits = np.isin(row, list(right[query]))
            ranks[query] = int(hits.argmax()) + 1
            nearest[query] = names[row[0]]
            scores.append(_query_figures(hits, len(right[query])))
    figures = {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}
    return Search(figures, [ranks[query] for query in queries], [nearest[q] for q in queries])


def _query_figures(hits: np.ndarray, total: int) -> dict[str, float]:
    """The figures of one query.

    Args:
        hits: whether each text is right, the nearest first.
        total: how many are right.
    """
    ten, deep = hits[:10], hits[:_DEPTH]
    gains = 1 / np.log2(np.arange(2, len(ten) + 2))
    precision = np.cumsum(deep) / np.arange(1, len(deep) + 1)
    return {
        **{f"accuracy_at_{k}": float(hits[:k].any()) for k in (1, 5, 10)},
        "recall_at_10": float(ten.sum() / total),
        "mrr_at_10": float(1 / (ten.argmax() + 1)) if ten.any() else 0.0,
        "ndcg_at_10": float((gains * ten).sum() / gains[: min(total, 10)].sum()),
        "map_at_100": float(precision[deep].sum() / min(total, _DEPTH)),
    }


def search_reports(found: Search, texts: Sequence[str], records: Sequence[Record]) -> list[Any]:
    """At which places the right texts came, and the rows whose text came last."""
    ranks = np.array(found.ranks)
    bands = [
        ["1" if low == high else f"{low} to {high}", int(((ranks >= low) & (ranks <= high)).sum())]
        for low, high in _BANDS
    ]
    places = ReportEvent(
        step=0,
        name="places",
        title="Place of the right text",
        form="bars",
        columns=["place", "rows"],
        rows=[*bands, ["later", int((ranks > _BANDS[-1][1]).sum())]],
    )
    outcomes = [
        (text, near, rank, float(rank))
        for text, near, rank in zip(texts, found.nearest, found.ranks, strict=True)
    ]
    return [places, reports.worst_rows(records, outcomes, "place of the right one")]


def score_figures(expected: np.ndarray, similar: np.ndarray) -> dict[str, float]:
    """How well similarities follow scores; not numbers where either is always the same."""
    if np.ptp(expected) == 0 or np.ptp(similar) == 0:
        return {"spearman": float("nan"), "pearson": float("nan")}
    return {
        "spearman": float(stats.spearmanr(expected, similar).statistic),
        "pearson": float(stats.pearsonr(expected, similar).statistic),
    }


def score_reports(
    expected: np.ndarray, similar: np.ndarray, records: Sequence[Record]
) -> list[ReportEvent]:
    """The rows whose place among the others is furthest off."""
    count = max(len(expected) - 1, 1)
    places = stats.rankdata(expected) / count, stats.rankdata(similar) / count
    off = np.abs(places[0] - places[1])
    outcomes = [
        (float(score), float(near), float(far), float(far))
        for score, near, far in zip(expected, similar, off, strict=True)
    ]
    return [reports.worst_rows(records, outcomes, "share of the rows in between")]


def triplet_reports(
    right: np.ndarray, wrong: np.ndarray, records: Sequence[Record]
) -> list[ReportEvent]:
    """The triplets whose wrong text is the closer one by most."""
    outcomes = [
        (f"{near:.3f} {_short(record.values['positive'])}",
         f"{far:.3f} {_short(record.values['negative'])}",
         float(near - far), float(far - near))
        for near, far, record in zip(right, wrong, records, strict=True)
    ]  # fmt: skip
    return [reports.worst_rows(records, outcomes, "margin")]


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def best_threshold(together: np.ndarray, similar: np.ndarray) -> float:
    """The similarity from which on calling pairs alike is right most often.

    Args:
        together: whether each pair belongs together.
        similar: how similar it is.
    """
    order = np.argsort(-similar, kind="stable")
    marks, values = together[order].astype(int), similar[order]
    right = np.concatenate([[0], np.cumsum(2 * marks - 1)])
    # Pairs of the same similarity cannot be told apart.
    possible = np.concatenate([[True], values[1:] != values[:-1], [True]])
    best = int(np.where(possible, right, right.min() - 1).argmax())
    if best == 0:
        return float(values[0]) + 1e-6
    if best == len(values):
        return float(values[-1])
    return float((values[best - 1] + values[best]) / 2)


def together_figures(together: np.ndarray, similar: np.ndarray) -> dict[str, float]:
    """How well similarity tells pairs that belong together from others, at the best threshold."""
    threshold = best_threshold(together, similar)
    guessed = similar >= threshold
    options: dict[str, Any] = {"average": "binary", "zero_division": 0}
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(together, guessed, **options)
    both = len(set(together.tolist())) == 2
    nothing = float("nan")
    return {
        "accuracy": float((guessed == together).mean()),
        "f1": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        "auc": float(metrics.roc_auc_score(together, similar)) if both else nothing,
        "average_precision": (
            float(metrics.average_precision_score(together, similar)) if both else nothing
        ),
        "threshold": threshold,
    }


def together_reports(
    together: np.ndarray, similar: np.ndarray, names: tuple[str, str], records: Sequence[Record]
) -> list[ReportEvent]:
    """Confusions at the best threshold, and the pairs furthest on the wrong side of it.

    Args:
        names: of the pairs that do not belong together, and of those that do.
    """
    threshold = best_threshold(together, similar)
    guessed = similar >= threshold
    outcomes = [
        (names[int(mark)], names[int(guess)], float(near),
         float(threshold - near if mark else near - threshold))
        for mark, guess, near in zip(together, guessed, similar, strict=True)
    ]  # fmt: skip
    return [
        reports.confusions(together.astype(int), guessed.astype(int), names),
        reports.worst_rows(records, outcomes, "similarity"),
    ]
