"""The library's trainer with what every run has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.base.sampler import BatchSamplers
from transformers import Trainer

from ..engine.column_trainer import RowTrainer
from ..errors import TrainingError
from .head import load_head, save_head
from .model import row_lengths


class _Batches(SentenceTransformerTrainer):
    """The library's batches where no text may be twice in one, else those of every trainer."""

    def get_train_dataloader(self) -> Any:
        if self.args.batch_sampler == BatchSamplers.NO_DUPLICATES:
            return super().get_train_dataloader()
        return Trainer.get_train_dataloader(self)

    def get_batch_sampler(self, *args: Any, **kwargs: Any) -> Any:
        # The library would order them by another seed than the run's for rows.
        return super().get_batch_sampler(*args, **{**kwargs, "seed": self.args.data_seed})

    def get_eval_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        # The library would shuffle them, and leaves some processes without a last batch.
        self.accelerator.even_batches = True
        return Trainer.get_eval_dataloader(self, *args, **kwargs)


class SentenceTrainer(RowTrainer, _Batches):
    """Trains by the task's loss, and measures the vectors of the validation rows."""

    _task: Any

    def __init__(self, *, task: Any, **options: Any) -> None:
        # The library asks its collator which columns are no texts, and this one knows of weights.
        options["data_collator"] = task.collator()
        super().__init__(task=task, loss=task.loss(options["model"]), **options)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Nothing: a run's card is written once, at its end."""

    def row_lengths(self, dataset: Any) -> list[int]:
        return row_lengths(dataset)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The library's loss; rows are counted."""
        self._count_rows(len(next(iter(inputs.values()))))
        return super().compute_loss(model, inputs, *args, **kwargs)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """The loss of the validation rows, and what their vectors say."""
        output = super().evaluation_loop(*args, **kwargs)
        model = self.accelerator.unwrap_model(self.model)
        vectors = self._task.vectors(model, self._records, self.args.eval_batch_size)
        measured = self._task.measure(vectors, None, self._records)
        self._tell(measured)
        output.metrics.update({f"eval_{name}": value for name, value in measured.values.items()})
        return output

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if not self.args.should_save:
            return
        folder = Path(output_dir or self.args.output_dir)
        model = self.accelerator.unwrap_model(self.model)
        model.save_pretrained(str(folder), create_model_card=False)
        save_head(model, folder, self._task.class_names)

    def _load_from_checkpoint(self, checkpoint_path: str, model: Any = None) -> None:
        target: Any = self.accelerator.unwrap_model(self.model)
        saved = SentenceTransformer(
            checkpoint_path, device="cpu", trust_remote_code=target.trust_remote_code
        ).state_dict()
        trained = {name for name, value in target.named_parameters() if value.requires_grad}
        head = load_head(target, Path(checkpoint_path))
        missing = trained - saved.keys() - head
        if missing:
            raise TrainingError(f"{checkpoint_path} lacks {', '.join(sorted(missing))}.")
        kept = {name: value for name, value in saved.items() if name in trained}
        target.load_state_dict(kept, strict=False)

    def _load_best_model(self) -> None:
        # The library's goes on with the last step when this fails.
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))
