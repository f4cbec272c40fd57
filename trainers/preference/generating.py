"""What trainers share that learn from texts which the model itself writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from trl.trainer.utils import RepeatSampler

from .moving import ReferenceTrainer


class GroupSampler(RepeatSampler):
    """Each prompt as often as it gets answers, in an order that seed and epoch alone decide.

    The library's own draws on from epoch to epoch, so a resumed run would have another order.
    """

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        self.generator.manual_seed(self.seed + epoch)


class GeneratingTrainer(ReferenceTrainer):
    """Mixed in before a trainer of TRL that writes texts and learns from them in several steps.

    Texts that a checkpoint finds half used up are kept with it, so that a resumed run goes on
    with the same.
    """

    _buffered_inputs: list[dict[str, Any]] | None
    _step: int

    @property
    def steps_on_answers(self) -> int:
        """Forward passes for which one writing of texts lasts."""
        raise NotImplementedError

    @property
    def pieces(self) -> int:
        """Into how many batches the texts of one writing are split."""
        raise NotImplementedError

    def tokens_so_far(self) -> float:
        return float(self.state.num_input_tokens_seen)

    def _save_rng_state(self, output_dir: str) -> None:
        if self._buffered_inputs is not None and self._step % self.steps_on_answers:
            whole = _joined(self._buffered_inputs)
            save_file(whole, self._answers_file(Path(output_dir)))
        super()._save_rng_state(output_dir)

    def restore_carry(self, checkpoint: Path | None) -> None:
        """Continue the checkpoint's counters, and its texts."""
        # The batch may have become smaller since, but never in the middle of a step.
        self._step = self.state.global_step * self.args.gradient_accumulation_steps
        if checkpoint is not None and self._answers_file(checkpoint).exists():
            whole = load_file(self._answers_file(checkpoint), device=str(self.args.device))
            self._buffered_inputs = _split(whole, self.pieces)
        super().restore_carry(checkpoint)

    def _answers_file(self, checkpoint: Path) -> Path:
        return checkpoint / f"answers_{self.args.process_index}.safetensors"


def _joined(batches: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """The batches of one writing as one; what is no tensor of rows is the same in all of them."""
    first = batches[0]
    return {
        name: (torch.cat([batch[name] for batch in batches]) if value.dim() else value).contiguous()
        for name, value in first.items()
        if isinstance(value, torch.Tensor)
    }


def _split(whole: dict[str, torch.Tensor], pieces: int) -> list[dict[str, Any]]:
    split = {
        name: value.chunk(pieces) if value.dim() else [value] * pieces
        for name, value in whole.items()
    }
    return [{name: values[number] for name, values in split.items()} for number in range(pieces)]
