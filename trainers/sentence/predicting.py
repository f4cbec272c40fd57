"""Vectors of texts, how similar texts are, and which passage answers a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from ..data.cells import MistakeError
from ..data.records import parsed
from ..errors import LuthierError
from ..predicting.predictor import Predictor
from ..run_folder import RunFolder
from ..spec.file import load_spec
from .head import FILE, class_shares, read_head
from .vectors import vectors_of


class EmbeddingPredictor(Predictor):
    """A sentence transformer. Subclasses say what is made of the vectors."""

    def __init__(self, run: RunFolder, device: str) -> None:
        super().__init__(run, device)
        self.folder = run.adapter if run.adapter.exists() else run.model
        if not self.folder.exists():
            raise LuthierError(f"{run.run_id} has no result yet.", hint="Wait for its end.")
        spec: Any = load_spec(run.spec)
        self.model = SentenceTransformer(
            str(self.folder),
            device="cuda" if device == "cuda" else "cpu",
            trust_remote_code=spec.model.trust_remote_code,
        )

    def vectors(self, texts: Sequence[str], prompt: str = "") -> torch.Tensor:
        """The vectors of texts (texts, numbers)."""
        return torch.from_numpy(vectors_of(self.model, texts, prompt, self.batch_size))

    def similarities(self, first: torch.Tensor, second: torch.Tensor) -> list[float]:
        """How similar the rows are, in twos."""
        found: list[float] = self.model.similarity_pairwise(first, second).tolist()
        return found


class SimilarityPredictor(EmbeddingPredictor):
    """A text's vector, or how similar it is to the others that are given with it."""

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [self._answer(row) for row in self._with_vectors(rows)]

    def _with_vectors(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, torch.Tensor]]:
        texts = [str(text) for row in rows for text in row.values() if text not in (None, "")]
        vectors = iter(self.vectors(texts))
        return [
            {role: next(vectors) for role, text in row.items() if text not in (None, "")}
            for row in rows
        ]

    def _answer(self, row: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        first, *others = row.items()
        if not others:
            return {"embedding": first[1].tolist()}
        found = {
            role: self.similarities(first[1][None], vector[None])[0] for role, vector in others
        }
        return {"similarity": next(iter(found.values()))} if len(found) == 1 else found


class PairClassPredictor(EmbeddingPredictor):
    """How similar two texts are and, where a layer tells it, the class of their relation."""

    def __init__(self, run: RunFolder, device: str) -> None:
        super().__init__(run, device)
        self._head = read_head(self.folder) if (self.folder / FILE).exists() else None

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        first = self.vectors([str(row["sentence1"]) for row in rows])
        second = self.vectors([str(row["sentence2"]) for row in rows])
        similar = [{"similarity": value} for value in self.similarities(first, second)]
        if self._head is None:
            return list(similar)
        weights, names = self._head
        shares = class_shares(weights["weight"], weights["bias"], first, second)
        return [
            {
                "label": names[int(row.argmax())],
                "score": float(row.max()),
                "scores": dict(zip(names, row.tolist(), strict=True)),
                **near,
            }
            for row, near in zip(shares, similar, strict=True)
        ]


class PassagePredictor(EmbeddingPredictor):
    """A question's vector, how well a passage answers it, or passages by how well they do."""

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [self._answer(row) for row in rows]

    def _answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        question = self.vectors([str(row["question"])], self.model.prompts.get("query", ""))
        given = _passages(row.get("answer"))
        if given is None:
            return {"embedding": question[0].tolist()}
        texts = given if isinstance(given, list) else [given]
        answers = self.vectors(texts, self.model.prompts.get("document", ""))
        scores = self.similarities(question.expand(len(texts), -1), answers)
        if not isinstance(given, list):
            return {"similarity": scores[0]}
        ranked = sorted(zip(texts, scores, strict=True), key=lambda pair: -pair[1])
        return {"passages": [{"answer": text, "similarity": score} for text, score in ranked]}


def _passages(value: Any) -> list[str] | str | None:
    """The passages given with a question: several as a list, also one written as JSON."""
    if value in (None, ""):
        return None
    try:
        found = parsed(value, "answer")
    except MistakeError:
        # A passage may begin with a bracket.
        found = value
    if not isinstance(found, list):
        return str(value)
    texts = [str(text) for text in found if text not in (None, "")]
    if not texts:
        raise LuthierError("The list of passages is empty.")
    return texts
