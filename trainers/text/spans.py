"""Answers as spans of a context: pieces of long contexts, the best span, and SQuAD's scores."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_BEST = 20
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = set(string.punctuation)


@dataclass(frozen=True)
class Piece:
    """One piece of a row's context as the model reads it.

    Attributes:
        row: which row it is of.
        places: where each token stands in the context (start, end); None for the question's and
            special tokens.
    """

    row: int
    places: list[tuple[int, int] | None]


@dataclass(frozen=True)
class Span:
    """An answer: where it stands in the context, and its score over that of no answer."""

    start: int
    end: int
    score: float


def cut(
    tokenizer: Any, questions: Sequence[str], contexts: Sequence[str], length: int, stride: int
) -> tuple[dict[str, list[Any]], list[Piece]]:
    """Token ids of every piece, and what the pieces are of."""
    # Tokenizers that pad on the left read the context first.
    encoded = tokenizer(
        list(questions),
        list(contexts),
        truncation="only_second",
        max_length=length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    rows = encoded.pop("overflow_to_sample_mapping")
    offsets = encoded.pop("offset_mapping")
    pieces = []
    for number, row in enumerate(rows):
        kinds = encoded.sequence_ids(number)
        marked = zip(kinds, offsets[number], strict=True)
        pieces.append(Piece(row, [tuple(place) if kind == 1 else None for kind, place in marked]))
    return dict(encoded), pieces


def positions(piece: Piece, start: int, end: int, nothing: int) -> tuple[int, int]:
    """The first and last token of an answer in a piece; twice ``nothing`` when not all is there.

    Args:
        piece: of the context.
        start: the answer's first character.
        end: the character after its last.
        nothing: the token that stands for no answer.
    """
    inside = [
        token
        for token, place in enumerate(piece.places)
        if place is not None and place[0] < end and place[1] > start
    ]
    if not inside:
        return nothing, nothing
    first, last = piece.places[inside[0]], piece.places[inside[-1]]
    assert first is not None
    assert last is not None
    if first[0] > start or last[1] < end:
        return nothing, nothing
    return inside[0], inside[-1]


def best_span(
    pieces: Sequence[Piece],
    starts: Sequence[np.ndarray],
    ends: Sequence[np.ndarray],
    longest: int,
    nothing: Sequence[int],
) -> Span | None:
    """The best answer over all pieces of one row; None when there is no possible one.

    Args:
        pieces: of the row's context.
        starts: for each piece the score of each token to begin an answer.
        ends: the same for ending one.
        longest: most tokens of an answer.
        nothing: for each piece the token that stands for no answer.
    """
    none = min(
        float(start[token] + end[token])
        for start, end, token in zip(starts, ends, nothing, strict=True)
    )
    best: Span | None = None
    for piece, start, end in zip(pieces, starts, ends, strict=True):
        known = np.array([place is not None for place in piece.places])
        start = np.where(known, start[: len(known)], -np.inf)
        end = np.where(known, end[: len(known)], -np.inf)
        for first in np.argsort(start)[::-1][:_BEST]:
            for last in np.argsort(end)[::-1][:_BEST]:
                score = float(start[first] + end[last]) - none
                if not first <= last < first + longest or not np.isfinite(score):
                    continue
                if best is None or score > best.score:
                    begin, finish = piece.places[int(first)], piece.places[int(last)]
                    assert begin is not None
                    assert finish is not None
                    best = Span(begin[0], finish[1], score)
    return best


def normalised(text: str) -> str:
    """A text as SQuAD's official evaluation compares it: lower case, no punctuation or articles."""
    plain = "".join(letter for letter in text.lower() if letter not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact_match(guess: str, answers: Sequence[str]) -> float:
    """1 when the guess is one of the answers; no answer is the empty text."""
    return float(any(normalised(guess) == normalised(answer) for answer in answers or [""]))


def f1(guess: str, answers: Sequence[str]) -> float:
    """The best overlap of words with one of the answers (Rajpurkar et al. 2016)."""
    return max(_overlap(normalised(guess), normalised(answer)) for answer in answers or [""])


def _overlap(guess: str, answer: str) -> float:
    ours, theirs = guess.split(), answer.split()
    if not ours or not theirs:
        return float(ours == theirs)
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs))
