"""Predictions by a model of transformers, with its adapter when it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from transformers import AutoConfig

from ..errors import LuthierError
from ..registry import find_task
from ..run_folder import RunFolder
from ..spec import GradientSpec
from ..spec.file import load_spec
from .predictor import Predictor


def load_result(run: RunFolder, spec: GradientSpec, device: str) -> tuple[Any, Any]:
    """The model and what turns inputs into tensors, ready to predict.

    Raises:
        LuthierError: the run has no result.
    """
    loading = find_task(spec.task).loading
    folder = run.adapter if run.adapter.exists() else run.model
    if not folder.exists():
        raise LuthierError(f"{run.run_id} has no result yet.", hint="Wait for its end.")
    auto_class = getattr(transformers, loading.auto_class)
    processor = getattr(transformers, loading.processor).from_pretrained(folder)
    if folder == run.model:
        model = auto_class.from_pretrained(folder, use_safetensors=True)
    else:
        from peft import PeftModel

        section = spec.model
        options: dict[str, Any] = {
            "revision": section.revision,
            "trust_remote_code": section.trust_remote_code,
            "use_safetensors": True,
            "ignore_mismatched_sizes": True,
        }
        if (folder / "config.json").exists():
            options["config"] = AutoConfig.from_pretrained(folder)
        base = auto_class.from_pretrained(section.name_or_path, **options)
        model = PeftModel.from_pretrained(base, folder)
    return model.to("cuda" if device == "cuda" else "cpu").eval(), processor


class ModelPredictor(Predictor):
    """A model of transformers. Subclasses write ``answer``."""

    def __init__(self, run: RunFolder, device: str) -> None:
        super().__init__(run, device)
        spec: Any = load_spec(run.spec)
        self.spec = spec
        self.model, self.processor = load_result(run, spec, device)

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The predictions for one batch."""
        raise NotImplementedError

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        with torch.inference_mode():
            return self.answer(rows)

    def to_device(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The tensors of a batch where the model is."""
        return {
            name: value.to(self.model.device)
            for name, value in batch.items()
            if isinstance(value, torch.Tensor)
        }

    def logits(self, rows: Sequence[Mapping[str, Any]], max_length: int) -> torch.Tensor:
        """The model's scores for texts, or pairs of texts (rows, classes or targets)."""
        texts = [str(row["text"]) for row in rows]
        pairs = [str(row.get("text_pair") or "") for row in rows]
        batch = self.processor(
            texts,
            pairs if any(pairs) else None,
            truncation=True,
            max_length=max_length,
            padding=True,
            return_tensors="pt",
        )
        found: torch.Tensor = self.model(**self.to_device(batch)).logits.float().cpu()
        return found
