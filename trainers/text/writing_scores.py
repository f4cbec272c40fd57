"""Scores of written texts, by rouge-score and sacrebleu. Nothing is downloaded."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import BLEU, CHRF

_ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")


class _Words:
    """Words of any alphabet; rouge-score's own tokenizer knows only English letters."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())


def written_figures(written: Sequence[str], expected: Sequence[str]) -> dict[str, float]:
    """ROUGE F1, BLEU, chrF and exact matches, in percent."""
    scorer = RougeScorer(list(_ROUGE), tokenizer=_Words())
    pairs = list(zip(written, expected, strict=True))
    scores = [scorer.score(target, text) for text, target in pairs]
    figures = {name: 100 * float(np.mean([s[name].fmeasure for s in scores])) for name in _ROUGE}
    references = [list(expected)]
    return {
        **figures,
        "bleu": float(BLEU().corpus_score(list(written), references).score),
        "chrf": float(CHRF().corpus_score(list(written), references).score),
        "exact_match": 100 * float(np.mean([a.strip() == b.strip() for a, b in pairs])),
    }


def similarity(written: str, expected: str) -> float:
    """chrF of one text, in percent."""
    return float(CHRF().sentence_score(written, [expected]).score)
