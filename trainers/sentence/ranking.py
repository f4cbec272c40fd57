"""st-pair, st-qa and st-triplet: texts that are told from the other rows' texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from ..data.records import Record
from ..engine.column_task import Measured, run_column_task
from ..engine.job import Job, Result
from ..tasks.st_pair import PairSpec
from ..tasks.st_qa import QuestionSpec
from ..tasks.st_triplet import TripletSpec
from . import measuring
from .losses import ranking_loss
from .mining import with_hard_negatives
from .model import token_columns
from .task import S, SentenceTask


def train_pairs(job: Job[PairSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Pairs)


def train_questions(job: Job[QuestionSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Questions)


def train_triplets(job: Job[TripletSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Triplets)


class Ranking(SentenceTask[S]):
    """Texts whose opposites are the batch's other rows."""

    def __init__(self, job: Job[S]) -> None:
        super().__init__(job)
        training: Any = self.spec.training
        self.distinct_batches = training.distinct_batches

    def whole_loss(self, model: Any) -> Any:
        return ranking_loss(model, self.spec.training)


class Partners(Ranking[S]):
    """Texts in twos: each finds the other among those of all rows."""

    def encode(self, records: Sequence[Record], *, training: bool) -> Dataset:
        settings: Any = self.spec.training
        if not training or not settings.hard_negatives:
            return super().encode(records, training=training)
        texts = {role: [record.values[role] for record in records] for role in self.roles}
        size = self.spec.evaluation.per_device_eval_batch_size
        mined = with_hard_negatives(self.job, self.model, texts, self.prompts, size)
        negative = self.prompts.get(self.roles[1], "")
        prompts = {name: self.prompts.get(name, negative) for name in mined}
        return Dataset.from_dict(token_columns(self.model, mined, prompts))

    def measure(
        self, predictions: Mapping[str, np.ndarray], labels: Any, records: Sequence[Record]
    ) -> Measured:
        queries, texts = ([record.values[role] for record in records] for role in self.roles)

        def found(vectors: Mapping[str, np.ndarray]) -> measuring.Search:
            return measuring.search(queries, texts, *(vectors[role] for role in self.roles))

        whole = found(predictions)
        dims = self.spec.training.matryoshka_dims
        lengths = measuring.by_length(
            predictions, dims, "mrr_at_10", lambda vectors: found(vectors).figures
        )
        return Measured(whole.figures, [*measuring.search_reports(whole, texts, records), *lengths])


class Pairs(Partners[PairSpec]):
    """Texts that mean the same."""

    roles = ("sentence1", "sentence2")


class Questions(Partners[QuestionSpec]):
    """Questions and the passages that answer them."""

    roles = ("question", "answer")

    def set_prompts(self) -> dict[str, str]:
        training, prompts = self.spec.training, self.model.prompts
        for name, given in (
            ("query", training.question_prompt),
            ("document", training.answer_prompt),
        ):
            if given is not None:
                prompts[name] = given
        return {"question": prompts.get("query", ""), "answer": prompts.get("document", "")}


class Triplets(Ranking[TripletSpec]):
    """A text, the one that belongs to it, and one that does not."""

    roles = ("anchor", "positive", "negative")

    def measure(
        self, predictions: Mapping[str, np.ndarray], labels: Any, records: Sequence[Record]
    ) -> Measured:
        def figures(vectors: Mapping[str, np.ndarray]) -> dict[str, float]:
            right, wrong = _both(vectors)
            return {
                "accuracy": float((right > wrong).mean()),
                "margin": float((right - wrong).mean()),
            }

        dims = self.spec.training.matryoshka_dims
        return Measured(
            figures(predictions),
            [
                *measuring.triplet_reports(*_both(predictions), records),
                *measuring.by_length(predictions, dims, "accuracy", figures),
            ],
        )


def _both(vectors: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How similar the first text is to the right one, and to the wrong one."""
    anchor = vectors["anchor"]
    return (
        measuring.similarities(anchor, vectors["positive"]),
        measuring.similarities(anchor, vectors["negative"]),
    )
