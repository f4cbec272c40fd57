"""Losses in which rows, or the tokens of a block, count by their weight."""

from __future__ import annotations

from typing import Any

import torch

WEIGHTS = "loss_weights"


def target_weights(weights: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The weight of each prediction, for labels shifted by one; 0 where nothing is predicted.

    Args:
        weights: one for each row (rows,), or one for each token (rows, tokens).
        labels: token ids with -100 where nothing is learnt (rows, tokens).
    """
    targets = labels[:, 1:]
    spread = weights[:, None] if weights.dim() == 1 else weights[:, 1:]
    return spread.to(torch.float32).expand(targets.shape) * targets.ne(-100)


def count_weighted(batches: list[dict[str, Any]]) -> torch.Tensor:
    """What the loss of the batches of one step is divided by: their predictions' weights."""
    return torch.stack(
        [target_weights(batch[WEIGHTS], batch["labels"]).sum() for batch in batches]
    ).sum()


class WeightedTrainer:
    """Mixed into a trainer, before it, whose loss divides by the weights of the whole step."""

    loss_is_scaled_for_ga = True
    accelerator: Any
    args: Any
    _signature_columns: list[str]

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]  # the trainer's
        if WEIGHTS not in self._signature_columns:
            self._signature_columns.append(WEIGHTS)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        if not batch_samples:
            return None
        count = count_weighted(batch_samples).to(device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            count = self.accelerator.gather(count).sum()
        return count
