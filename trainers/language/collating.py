"""Batches of rows that bring their own labels and, where asked for, weights."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from .weights import WEIGHTS


class Collator:
    """Pads rows on the right to the longest of the batch.

    The libraries' own collator for plain language modelling makes labels from the ids and then
    ignores every padding token, so that a model that pads with its end token never learns to end.
    """

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch as tensors."""
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        labels = [torch.tensor(row["labels"]) for row in rows]
        mask = [torch.ones_like(row) for row in ids]
        batch = {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self._pad),
            "attention_mask": pad_sequence(mask, batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        }
        if WEIGHTS in rows[0]:
            weights = [torch.tensor(row[WEIGHTS], dtype=torch.float32) for row in rows]
            whole_row = weights[0].dim() == 0
            batch[WEIGHTS] = (
                torch.stack(weights) if whole_row else pad_sequence(weights, batch_first=True)
            )
        return batch
