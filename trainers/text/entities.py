"""Scores of tags: whole entities where tags say which, by seqeval, else each tag by itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from seqeval import metrics
from sklearn.metrics import precision_recall_fscore_support

from ..engine.reports import class_scores, confusions
from ..events import ReportEvent

Tags = Sequence[Sequence[str]]


def is_entity_scheme(names: Sequence[str]) -> bool:
    """Whether the tags are those of entities: O, B-PER, I-PER, ..."""
    return all(name == "O" or name[:2] in ("B-", "I-", "E-", "S-", "L-", "U-") for name in names)


def tag_figures(expected: Tags, guessed: Tags, *, entities: bool) -> dict[str, float]:
    """Precision, recall and f1 of entities, or the mean over tags; accuracy is that of tags."""
    right, found = list(chain(*expected)), list(chain(*guessed))
    accuracy = float(np.mean([a == b for a, b in zip(right, found, strict=True)]))
    if entities:
        precision, recall, f1 = (
            float(score(expected, guessed, zero_division=0))
            for score in (metrics.precision_score, metrics.recall_score, metrics.f1_score)
        )
    else:
        precision, recall, f1, _ = precision_recall_fscore_support(
            right, found, average="macro", zero_division=0
        )
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "accuracy": accuracy,
    }


def tag_reports(
    expected: Tags, guessed: Tags, names: Sequence[str], *, entities: bool
) -> list[ReportEvent]:
    """Scores of each kind of entity, or of each tag, and the tags taken for others."""
    places = {name: number for number, name in enumerate(names)}
    right = np.array([places[tag] for tag in chain(*expected)])
    found = np.array([places[tag] for tag in chain(*guessed)])
    matrix = confusions(right, found, names)
    if not entities:
        return [matrix, class_scores(right, found, names)]
    scores = metrics.classification_report(expected, guessed, output_dict=True, zero_division=0)
    kinds = {kind: row for kind, row in scores.items() if not kind.endswith(" avg")}
    per_kind = ReportEvent(
        step=0,
        name="per_class",
        title="Scores of each kind of entity",
        columns=["entity", "precision", "recall", "f1", "entities"],
        rows=[
            [
                kind,
                *(float(row[key]) for key in ("precision", "recall", "f1-score")),
                int(row["support"]),
            ]
            for kind, row in kinds.items()
        ],
    )
    return [matrix, per_kind]
