"""Texts as token ids, and batches of them: what the text tasks share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset

from ..data.records import Record
from ..engine.column_task import ColumnTask, S


def text_columns(records: Sequence[Record]) -> tuple[list[str], list[str] | None]:
    """The texts, and the second texts when rows have any."""
    texts = [record.values["text"] for record in records]
    if not any("text_pair" in record.values for record in records):
        return texts, None
    return texts, [record.values.get("text_pair", "") for record in records]


class TextTask(ColumnTask[S]):
    """What tasks share that say something of a text, or of a pair of them, as a whole."""

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        if not records:
            return []
        texts, pairs = text_columns(records)
        encoded = self.processor(texts, pairs, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def model_options(self) -> dict[str, Any]:
        return {**super().model_options(), "pad_token_id": self.processor.pad_token_id}

    def with_labels(self, records: Sequence[Record], labels: Sequence[Any]) -> Dataset:
        """The rows as token ids, cut, with their labels."""
        texts, pairs = text_columns(records)
        settings: Any = self.spec.training
        columns = self.processor(texts, pairs, truncation=True, max_length=settings.max_length)
        return Dataset.from_dict({**columns, "labels": list(labels)})


class TextCollator:
    """Pads rows to the longest of the batch; labels of a row are kept as they are."""

    def __init__(self, tokenizer: Any, label_type: torch.dtype = torch.long) -> None:
        self._tokenizer = tokenizer
        self._type = label_type

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch as tensors."""
        plain = [{k: v for k, v in item.items() if k != "labels"} for item in items]
        batch = dict(self._tokenizer.pad(plain, return_tensors="pt"))
        if "labels" in items[0]:
            batch["labels"] = torch.tensor([item["labels"] for item in items], dtype=self._type)
        return batch
