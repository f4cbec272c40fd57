"""extractive-question-answering: the words of a context that answer a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy

from ..data.columned import ColumnedFindings
from ..data.records import Record
from ..engine import reports
from ..engine.column_task import ColumnTask, Measured, run_column_task
from ..engine.column_trainer import WEIGHTS
from ..engine.job import Job, Result
from ..engine.models import load_tokenizer
from ..errors import DataError, Problem, SpecError
from ..predicting.models import ModelPredictor
from ..tasks.extractive_question_answering import QuestionSpec
from .spans import Piece, Span, best_span, cut, exact_match, f1, positions


def train(job: Job[QuestionSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Questions)


class Questions(ColumnTask[QuestionSpec]):
    """Questions, contexts and answers."""

    label_names = ("start_positions", "end_positions")
    kept_outputs = 2
    may_miss: bool

    def load_processor(self) -> Any:
        tokenizer = load_tokenizer(self.spec.model)
        if not tokenizer.is_fast:
            text = "has no fast tokenizer, which is needed to know the places of tokens"
            raise SpecError([Problem(text, "model.tokenizer")])
        tokenizer.padding_side = "right"
        return tokenizer

    def learn(self, found: ColumnedFindings) -> None:
        records = [*found.records("train"), *found.records("validation")]
        self.may_miss = any(not record.values["answers"] for record in found.records("train"))
        training = self.spec.training
        room = training.max_length - training.doc_stride - 4
        ids = self.processor([r.values["question"] for r in records], verbose=False)["input_ids"]
        problems = [
            Problem("the question leaves no room for a context; raise training.max_length", r.where)
            for r, tokens in zip(records, ids, strict=True)
            if len(tokens) > room
        ]
        if problems:
            raise DataError(problems)

    def model_options(self) -> dict[str, Any]:
        return {"pad_token_id": self.processor.pad_token_id}

    def complete_config(self, config: Any) -> None:
        config.may_have_no_answer = self.may_miss

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        columns, pieces = self._cut(records)
        marked = []
        for ids, piece in zip(columns["input_ids"], pieces, strict=True):
            nothing = no_answer_token(ids, self.processor)
            answers = records[piece.row].values["answers"]
            start, text = answers[0] if answers else (0, "")
            marked.append(positions(piece, start, start + len(text), nothing))
        columns["start_positions"] = [start for start, _ in marked]
        columns["end_positions"] = [end for _, end in marked]
        if training and self.spec.data.row_weights is not None:
            columns[WEIGHTS] = [records[piece.row].weight for piece in pieces]
        return Dataset.from_dict(columns)

    def _cut(self, records: Sequence[Record]) -> tuple[dict[str, list[Any]], list[Piece]]:
        return cut(
            self.processor,
            [record.values["question"] for record in records],
            [record.values["context"] for record in records],
            self.spec.training.max_length,
            self.spec.training.doc_stride,
        )

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        names = self.label_names

        def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
            plain = [{k: v for k, v in item.items() if k not in names} for item in items]
            batch = dict(self.processor.pad(plain, return_tensors="pt"))
            labels = {name: torch.tensor([item[name] for item in items]) for name in names}
            return {**batch, **labels}

        return collate

    def losses(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        smoothing = self.spec.training.label_smoothing_factor
        start, end = (
            cross_entropy(scores.float(), batch[name], reduction="none", label_smoothing=smoothing)
            for scores, name in zip(
                (outputs.start_logits, outputs.end_logits), self.label_names, strict=True
            )
        )
        return (start + end) / 2

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        return torch.ones_like(batch["start_positions"], dtype=torch.float32)

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        columns, pieces = self._cut(records)
        nothing = [no_answer_token(ids, self.processor) for ids in columns["input_ids"]]
        starts, ends = predictions
        longest = self.spec.training.max_answer_length
        spans = spans_of(pieces, nothing, starts, ends, longest)
        threshold = self.spec.training.null_score_threshold
        outcomes: list[tuple[str, str, float, float]] = []
        exact = []
        for row, record in enumerate(records):
            guess = answer_text(
                record.values["context"], spans.get(row), threshold, may_miss=self.may_miss
            )
            answers = [text for _, text in record.values["answers"]]
            score = f1(guess, answers)
            exact.append(exact_match(guess, answers))
            right = answers[0] if answers else "(no answer)"
            outcomes.append((right, guess or "(no answer)", score, 1 - score))
        values = self._figures(records, exact, [score for _, _, score, _ in outcomes])
        return Measured(values, [reports.worst_rows(records, outcomes, "f1")])

    def _figures(
        self, records: Sequence[Record], exact: Sequence[float], scores: Sequence[float]
    ) -> dict[str, float]:
        right, overlap = 100 * np.array(exact), 100 * np.array(scores)
        figures = {"exact_match": float(right.mean()), "f1": float(overlap.mean())}
        if not self.may_miss:
            return figures
        answered = np.array([bool(record.values["answers"]) for record in records])
        return {
            **figures,
            "has_answer_exact_match": _mean(right[answered]),
            "has_answer_f1": _mean(overlap[answered]),
            "no_answer_accuracy": _mean(right[~answered]),
        }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def no_answer_token(ids: Sequence[int], tokenizer: Any) -> int:
    """Where the token stands that means no answer: the one of the class, else the first."""
    return list(ids).index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0


def spans_of(
    pieces: Sequence[Piece],
    nothing: Sequence[int],
    starts: np.ndarray,
    ends: np.ndarray,
    longest: int,
) -> dict[int, Span]:
    """The best span of each row that has any; arguments as for best_span, over all pieces."""
    members: dict[int, list[int]] = {}
    for number, piece in enumerate(pieces):
        members.setdefault(piece.row, []).append(number)
    found = {
        row: best_span(
            [pieces[n] for n in numbers],
            [starts[n] for n in numbers],
            [ends[n] for n in numbers],
            longest,
            [nothing[n] for n in numbers],
        )
        for row, numbers in members.items()
    }
    return {row: span for row, span in found.items() if span is not None}


def answer_text(context: str, span: Span | None, threshold: float, *, may_miss: bool) -> str:
    """The answer; the empty text for none.

    Args:
        context: where it stands.
        span: the best one.
        threshold: how much better no answer must be.
        may_miss: some training rows had no answer.
    """
    if span is None or (may_miss and -span.score > threshold):
        return ""
    return context[span.start : span.end]


class AnswerPredictor(ModelPredictor):
    """The answer in the context, where it stands, and its score over that of no answer."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        training = self.spec.training
        contexts = [str(row["context"]) for row in rows]
        questions = [str(row["question"]) for row in rows]
        columns, pieces = cut(
            self.processor, questions, contexts, training.max_length, training.doc_stride
        )
        batch = self.processor.pad(columns, return_tensors="pt")
        outputs = self.model(**self.to_device(batch))
        nothing = [no_answer_token(ids, self.processor) for ids in columns["input_ids"]]
        spans = spans_of(
            pieces,
            nothing,
            outputs.start_logits.float().cpu().numpy(),
            outputs.end_logits.float().cpu().numpy(),
            training.max_answer_length,
        )
        may_miss = bool(getattr(self.model.config, "may_have_no_answer", False))
        return [
            _answer(context, spans.get(row), training.null_score_threshold, may_miss=may_miss)
            for row, context in enumerate(contexts)
        ]


def _answer(context: str, span: Span | None, threshold: float, *, may_miss: bool) -> dict[str, Any]:
    text = answer_text(context, span, threshold, may_miss=may_miss)
    if span is None or not text:
        return {"answer": None, "score": span.score if span else None}
    return {"answer": text, "start": span.start, "end": span.end, "score": span.score}
