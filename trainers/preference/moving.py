"""A reference that follows the model is part of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_model, save_model

from ..engine.metered import MeteredTrainer

_FILE = "reference.safetensors"


class ReferenceTrainer(MeteredTrainer):
    """Mixed in before a trainer of TRL that has a ``ref_model`` and may move it."""

    has_perplexity = False

    ref_model: Any

    def _save_rng_state(self, output_dir: str) -> None:
        if self._moves() and self.args.should_save:
            model = self.accelerator.unwrap_model(self.ref_model)
            save_model(model, str(Path(output_dir) / _FILE))
        super()._save_rng_state(output_dir)

    def restore_carry(self, checkpoint: Path | None) -> None:
        """Continue the checkpoint's counters, and its reference."""
        if self._moves() and checkpoint is not None and (checkpoint / _FILE).exists():
            reference = self.accelerator.unwrap_model(self.ref_model)
            load_model(reference, checkpoint / _FILE, device=str(self.args.device))
        super().restore_carry(checkpoint)

    def _moves(self) -> bool:
        return bool(self.args.sync_ref_model) and self.ref_model is not None
