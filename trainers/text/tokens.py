"""token-classification: a tag for each word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, DataCollatorForTokenClassification

from ..data.columned import ColumnedFindings
from ..data.records import Record
from ..data.rules import number_order
from ..engine import reports
from ..engine.class_weights import class_weights
from ..engine.column_task import ColumnTask, Measured, run_column_task
from ..engine.job import Job, Result
from ..engine.models import load_tokenizer
from ..errors import Problem, SpecError
from ..predicting.models import ModelPredictor
from ..tasks.token_classification import TokenClassificationSpec
from .entities import is_entity_scheme, tag_figures, tag_reports

_IGNORED = -100


def train(job: Job[TokenClassificationSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, TokenClassification)


class TokenClassification(ColumnTask[TokenClassificationSpec]):
    """Words and their tags."""

    names: list[str]
    weights: torch.Tensor

    def load_processor(self) -> Any:
        section = self.spec.model
        tokenizer = load_tokenizer(section)
        if not tokenizer.is_fast:
            text = "has no fast tokenizer, which is needed to know the words of tokens"
            raise SpecError([Problem(text, "model.tokenizer")])
        if getattr(tokenizer, "add_prefix_space", None) is False:
            # Tokenizers that look at the space before a word take single words only like this.
            return AutoTokenizer.from_pretrained(
                section.tokenizer or section.name_or_path,
                revision=None if section.tokenizer else section.revision,
                trust_remote_code=section.trust_remote_code,
                add_prefix_space=True,
            )
        return tokenizer

    def learn(self, found: ColumnedFindings) -> None:
        counts = found.classes["train"]
        # O first, then the tags of one kind of entity beside each other.
        self.names = sorted(number_order(list(counts)), key=lambda tag: (tag != "O", tag[2:]))
        self.weights = class_weights(self.spec.training.class_weights, self.names, counts)

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        return [len(ids) for ids in self._encoding(records, cut=False)["input_ids"]]

    def model_options(self) -> dict[str, Any]:
        return {
            "num_labels": len(self.names),
            "id2label": dict(enumerate(self.names)),
            "label2id": {name: number for number, name in enumerate(self.names)},
            "pad_token_id": self.processor.pad_token_id,
            "ignore_mismatched_sizes": True,
        }

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        encoding = self._encoding(records, cut=True)
        labels = [
            self._labels(encoding.word_ids(row), record.values["tags"])
            for row, record in enumerate(records)
        ]
        return Dataset.from_dict({**encoding, "labels": labels})

    def _encoding(self, records: Sequence[Record], *, cut: bool) -> Any:
        words = [record.values["tokens"] for record in records]
        if not words:
            return {"input_ids": []}
        return self.processor(
            words,
            is_split_into_words=True,
            truncation=cut,
            max_length=self.spec.training.max_length if cut else None,
            verbose=False,
        )

    def _labels(self, words: Sequence[int | None], tags: Sequence[str]) -> list[int]:
        """The number of each token's tag; ignored are special tokens and later pieces of words."""
        every = self.spec.training.label_all_tokens
        labels, before = [], None
        for word in words:
            counts = word is not None and (every or word != before)
            labels.append(self.names.index(tags[word or 0]) if counts else _IGNORED)
            before = word
        return labels

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        collate: Any = DataCollatorForTokenClassification(self.processor)
        return lambda items: dict(collate(items))

    def losses(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        return cross_entropy(
            outputs.logits.float().transpose(1, 2),
            batch["labels"],
            reduction="none",
            ignore_index=_IGNORED,
            label_smoothing=self.spec.training.label_smoothing_factor,
        )

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        labels = batch["labels"]
        weights = self.weights.to(labels.device)
        return torch.where(labels == _IGNORED, 0.0, weights[labels.clamp(min=0)])

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        encoding = self._encoding(records, cut=True)
        best = predictions.argmax(-1)
        guessed = [
            tags_of_words(encoding.word_ids(row), best[row], self.names, len(record.values["tags"]))
            for row, record in enumerate(records)
        ]
        expected = [record.values["tags"] for record in records]
        entities = is_entity_scheme(self.names)
        return Measured(
            tag_figures(expected, guessed, entities=entities),
            [
                *tag_reports(expected, guessed, self.names, entities=entities),
                reports.worst_rows(records, _outcomes(expected, guessed), "wrong tags"),
            ],
        )


def tags_of_words(
    words: Sequence[int | None], numbers: np.ndarray, names: Sequence[str], count: int
) -> list[str]:
    """The tag of each word: that of its first token; of words that were cut off, the first tag.

    Args:
        words: the word of each token.
        numbers: the tag of each token.
        names: the tags.
        count: how many words there are.
    """
    tags = [names[0]] * count
    before = None
    for word, number in zip(words, numbers, strict=False):
        if word is not None and word != before:
            tags[word] = names[int(number)]
        before = word
    return tags


def _outcomes(
    expected: Sequence[Sequence[str]], guessed: Sequence[Sequence[str]]
) -> list[tuple[str, str, float, float]]:
    outcomes = []
    for right, found in zip(expected, guessed, strict=True):
        wrong = float(sum(a != b for a, b in zip(right, found, strict=True)))
        outcomes.append((" ".join(right), " ".join(found), wrong, wrong))
    return outcomes


class TagPredictor(ModelPredictor):
    """The tag of each word. A text is split at its white space."""

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        words = [
            row["tokens"].split() if isinstance(row["tokens"], str) else list(row["tokens"])
            for row in rows
        ]
        batch = self.processor(
            words,
            is_split_into_words=True,
            truncation=True,
            max_length=self.spec.training.max_length,
            padding=True,
            return_tensors="pt",
        )
        best = self.model(**self.to_device(batch)).logits.argmax(-1).cpu().numpy()
        config = self.model.config
        names = [config.id2label[number] for number in range(config.num_labels)]
        found = [
            tags_of_words(batch.word_ids(row), best[row], names, len(tokens))
            for row, tokens in enumerate(words)
        ]
        return [{"tokens": tokens, "tags": tags} for tokens, tags in zip(words, found, strict=True)]
