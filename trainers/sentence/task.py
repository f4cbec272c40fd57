"""What the sentence transformer tasks share: texts in, vectors measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset
from sentence_transformers.sentence_transformer.training_args import (
    SentenceTransformerTrainingArguments,
)
from typing_extensions import TypeVar

from ..data.records import Record
from ..engine.adapters import adapter_config
from ..engine.column_task import ColumnTask
from ..engine.column_trainer import WEIGHTS
from ..engine.pipeline import Setup
from .losses import nested
from .measuring import similarities
from .model import TextsCollator, load_embedder, prompt_lengths, token_columns
from .settings import SentenceSpec
from .trainer import SentenceTrainer
from .vectors import vectors_of

S = TypeVar("S", bound=SentenceSpec, default=SentenceSpec, covariant=True)


class SentenceTask(ColumnTask[S]):
    """Texts that become vectors.

    Attributes:
        roles: the columns of texts, in the order in which the losses take them.
        class_names: of the classes that a layer of the model's own tells; else none.
        distinct_batches: whether no text may be twice in a batch.
        prompts: what is put before the texts of a column.
    """

    trainer = SentenceTrainer
    arguments = SentenceTransformerTrainingArguments
    label_names = ()

    roles: ClassVar[tuple[str, ...]]
    class_names: Sequence[str] = ()
    distinct_batches = False

    model: Any
    prompts: Mapping[str, str] = {}

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        longest = [0] * len(records)
        for role in self.roles:
            texts = [record.values[role] for record in records]
            if texts:
                found = self.processor(texts, truncation=False, verbose=False)["input_ids"]
                longest = [max(pair) for pair in zip(longest, map(len, found), strict=True)]
        return longest

    def load_model(self, setup: Setup) -> Any:
        self.model = load_embedder(self.spec, setup)
        # Texts are trained on as they are given, and so they are to be used.
        self.model.default_prompt_name = None
        self.prompts = self.set_prompts()
        self.processor = self.model.tokenizer
        return self.model

    def set_prompts(self) -> dict[str, str]:
        """Give the model its prompts; what each column of texts is put after."""
        return {}

    def more_arguments(self) -> dict[str, Any]:
        sampler = "no_duplicates" if self.distinct_batches else "batch_sampler"
        return {"batch_sampler": sampler}

    def adapted(self, model: Any) -> Any:
        config = adapter_config(self.spec, self.heads)
        if config is not None:
            model.add_adapter(config)
        return model

    def loss(self, model: Any) -> Any:
        """The loss module, which the trainer calls with the columns and labels of a batch."""
        return nested(model, self.whole_loss(model), self.spec.training.matryoshka_dims)

    def whole_loss(self, model: Any) -> Any:
        """The loss of whole vectors."""
        raise NotImplementedError

    def label(self, record: Record) -> float | int | None:
        """What the loss is told about a row; None where the texts say all."""
        return None

    def encode(self, records: Sequence[Record], *, training: bool) -> Dataset:
        texts = {role: [record.values[role] for record in records] for role in self.roles}
        columns: dict[str, Any] = token_columns(self.model, texts, self.prompts)
        labels = [self.label(record) for record in records]
        if labels and labels[0] is not None:
            columns["label"] = labels
        if training and self.spec.data.row_weights is not None:
            mean = sum(record.weight for record in records) / len(records)
            columns[WEIGHTS] = [record.weight / mean for record in records]
        return Dataset.from_dict(columns)

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return TextsCollator(self.processor, prompt_lengths(self.model, self.prompts))

    def vectors(
        self, model: Any, records: Sequence[Record], batch_size: int
    ) -> dict[str, np.ndarray]:
        """The vectors of the rows' texts by role (rows, numbers)."""
        return {
            role: vectors_of(
                model,
                [record.values[role] for record in records],
                self.prompts.get(role, ""),
                batch_size,
            )
            for role in self.roles
        }

    def similarities(self, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        """How similar the first two texts of each row are."""
        first, second = self.roles[:2]
        return similarities(vectors[first], vectors[second])
