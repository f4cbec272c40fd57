"""Texts as token ids, and batches of them: what the text tasks share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset

from ..data.records import Record


def text_columns(records: Sequence[Record]) -> tuple[list[str], list[str] | None]:
    """The texts, and the second texts when rows have any."""
    texts = [record.values["text"] for record in records]
    if not any("text_pair" in record.values for record in records):
        return texts, None
    return texts, [record.values.get("text_pair", "") for record in records]


def text_lengths(tokenizer: Any, records: Sequence[Record]) -> list[int]:
    """The length of each row in tokens, uncut."""
    if not records:
        return []
    texts, pairs = text_columns(records)
    encoded = tokenizer(texts, pairs, truncation=False, verbose=False)
    return [len(ids) for ids in encoded["input_ids"]]


def encode_texts(
    tokenizer: Any, records: Sequence[Record], length: int, labels: Sequence[Any] | None
) -> Dataset:
    """The rows as token ids, cut, with their labels."""
    texts, pairs = text_columns(records)
    columns = dict(tokenizer(texts, pairs, truncation=True, max_length=length))
    if labels is not None:
        columns["labels"] = list(labels)
    return Dataset.from_dict(columns)


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
