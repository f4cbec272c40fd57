"""What trainers of tasks with columns share: weighted losses, counted rows, reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from torch.utils.data import SequentialSampler

from ..data.records import Record
from ..events import ReportEvent, SampleEvent
from .trainer import RunTrainer

if TYPE_CHECKING:
    from transformers import EvalPrediction

    from .column_task import ColumnTask, Measured

WEIGHTS = "loss_weights"


class RowTrainer(RunTrainer):
    """Knows its task and the rows that are measured, and counts those that are trained on."""

    speed_name = "rows_per_second"
    has_perplexity = False

    def __init__(self, *, task: ColumnTask[Any], records: Sequence[Record], **options: Any) -> None:
        super().__init__(**options)
        self._task = task
        self._records = records
        self._rows = 0.0

    def tokens_so_far(self) -> float:
        return self._rows

    def carried(self) -> dict[str, Any]:
        return {**super().carried(), "rows": self._rows}

    def carry_on(self, values: dict[str, Any]) -> None:
        super().carry_on(values)
        self._rows = values["rows"]

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        # Also where training rows are grouped by length: what is measured is told by the row.
        return SequentialSampler(eval_dataset) if self.args.world_size <= 1 else None

    def _count_rows(self, rows: int) -> None:
        """That many are in this process's batch; the others' have as many."""
        if self.model.training:
            self._rows += rows * self.accelerator.num_processes

    def _tell(self, measured: Measured) -> None:
        """Say what was found, as of this step."""
        found: list[ReportEvent | SampleEvent] = [*measured.reports, *measured.samples]
        for event in found:
            event.step = self.state.global_step
            self._task.job.reporter.emit(event)


class ColumnTrainer(RowTrainer):
    """Mixed in before a Trainer of the libraries."""

    # The loss below is divided by what counts in the whole step.
    loss_is_scaled_for_ga = True

    def __init__(self, *, task: ColumnTask[Any], records: Sequence[Record], **options: Any) -> None:
        super().__init__(
            task=task,
            records=records,
            compute_metrics=self._measured,
            preprocess_logits_for_metrics=self._kept,
            **options,
        )

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        batch = dict(inputs)
        weights = batch.pop(WEIGHTS, None)
        self._count_rows(len(batch[self._task.label_names[0]]))
        counts = self._counts(batch, weights)
        if counts is None:
            return self._own_loss(model, batch, return_outputs, num_items_in_batch)
        outputs = model(**self._task.inputs(batch))
        losses = self._task.losses(outputs, batch)
        assert losses is not None
        total = counts.sum() if num_items_in_batch is None else num_items_in_batch
        loss = (losses * counts).sum() / total.clamp(min=torch.finfo().tiny)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _own_loss(
        self, model: Any, batch: dict[str, Any], return_outputs: bool, num_items: Any
    ) -> Any:
        loss, outputs = super().compute_loss(model, batch, True, num_items)
        if self.model.training:
            # Divided here, since the trainer is told that the loss is divided already.
            loss = loss / self.current_gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss

    def _counts(self, batch: dict[str, Any], weights: Any) -> torch.Tensor | None:
        counts = self._task.counts(batch)
        if counts is None or weights is None:
            return counts
        spread: torch.Tensor = weights.to(counts.device).view(-1, *[1] * (counts.dim() - 1))
        return counts * spread

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        counted = [self._counts(batch, batch.get(WEIGHTS)) for batch in batch_samples]
        known = [counts.sum() for counts in counted if counts is not None]
        if not known:
            return None
        count = torch.stack(known).sum().to(device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            count = self.accelerator.gather(count).sum()
        return count

    def _kept(self, outputs: Any, labels: Any) -> Any:
        # What some models put out beside it would be kept for all rows.
        kept = outputs[: self._task.kept_outputs] if isinstance(outputs, tuple) else outputs
        return kept[0] if isinstance(kept, tuple) and len(kept) == 1 else kept

    def _measured(self, prediction: EvalPrediction) -> dict[str, float]:
        measured = self._task.measure(prediction.predictions, prediction.label_ids, self._records)
        self._tell(measured)
        return measured.values

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        model = self.accelerator.unwrap_model(self.model)
        if output_dir is not None and isinstance(model, PeftModel):
            # The class names and the size of the head, which an adapter's own file does not say.
            model.get_base_model().config.save_pretrained(Path(output_dir))
