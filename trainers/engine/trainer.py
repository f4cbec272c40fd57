"""What Luthier adds to the libraries' trainers, whichever of them a task uses."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from transformers import EarlyStoppingCallback, PreTrainedModel
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..errors import TrainingError
from .checkpoints import flush, load_carry, save_carry
from .memory import is_out_of_memory
from .stopping import StopRequested

if TYPE_CHECKING:
    from transformers import Trainer as _Base
else:
    _Base = object


class EpochLengthGroupedSampler(LengthGroupedSampler):
    """Rows of similar length together, in an order that only the seed and the epoch decide.

    The library's own draws from the global generator, so a resumed epoch would have another order.
    """

    def __init__(self, *args: Any, seed: int, **kwargs: Any) -> None:
        super().__init__(*args, generator=torch.Generator(), **kwargs)
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        self._epoch = epoch

    def __iter__(self) -> Any:
        self.generator.manual_seed(self._seed + self._epoch)
        return super().__iter__()


class EvaluationCut(Exception):  # noqa: N818 - an order
    """Somebody wants the run to end, and an evaluation is under way."""


class RunTrainer(_Base):
    """Mixed in before a Trainer: exact resumption, speed, perplexity, whole checkpoints."""

    control: Any

    has_perplexity = True
    """Whether the evaluation loss is one of guessing tokens."""

    speed_name = "tokens_per_second"
    """How the metrics call the speed of what ``tokens_so_far`` counts."""

    aside_seconds = 0.0
    """Time spent on evaluations since the last log, which is not training."""

    evaluation_due = False
    """Whether a stop cut an evaluation short, which the resumed run makes up for."""

    _last_log: tuple[float, float] | None = None

    def tokens_so_far(self) -> float:
        """Tokens trained on since the run began, all processes together."""
        raise NotImplementedError

    def carried(self) -> dict[str, Any]:
        """What was gathered since the last log, which the libraries' checkpoints leave out."""
        return {
            "loss": self._tr_loss.item(),
            "total_loss": self._total_loss_scalar,
            "last_logged": self._globalstep_last_logged,
            "initial_step": self._initial_global_step,
            "evaluation_due": self.evaluation_due,
        }

    def carry_on(self, values: dict[str, Any]) -> None:
        """Go on gathering where a checkpoint's ``carried`` left off."""
        self._tr_loss.fill_(values["loss"])
        self._total_loss_scalar = values["total_loss"]
        self._globalstep_last_logged = values["last_logged"]
        self._initial_global_step = values["initial_step"]
        self.evaluation_due = values["evaluation_due"]

    def restore_carry(self, checkpoint: Path | None) -> None:
        """After the loop has set its counters to nothing: continue those of the checkpoint."""
        values = load_carry(checkpoint, self.args.process_index) if checkpoint else {}
        if values:
            self.carry_on(values)
        self._last_log = (time.perf_counter(), self.tokens_so_far())
        if self.evaluation_due:
            self.evaluation_due = False
            # The checkpoint is written again, with what the evaluation finds.
            self._load_rng_state(str(checkpoint))
            try:
                metrics = self._evaluate(None, None)
            except EvaluationCut:
                raise StopRequested(self.state.global_step) from None
            self._determine_best_metric(metrics, None)
            self._save_now(self.model_wrapped)

    def _save_now(self, model: Any) -> None:
        self._save_checkpoint(model, None)
        self.control = self.callback_handler.on_save(self.args, self.state, self.control)

    def _maybe_log_save_evaluate(
        self, tr_loss: Any, grad_norm: Any, model: Any, *args: Any, **kwargs: Any
    ) -> None:
        try:
            super()._maybe_log_save_evaluate(tr_loss, grad_norm, model, *args, **kwargs)
        except EvaluationCut:
            self.evaluation_due = self.control.should_training_stop = True
            self.control.should_evaluate = False
            self._save_now(model)

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        # Resumed where training had ended (the saving was interrupted), the library would go on
        # for another step before it looks.
        if self.state.global_step >= self.state.max_steps or self._patience_is_over():
            self.control.should_training_stop = True
        else:
            super()._run_epoch(*args, **kwargs)

    def _patience_is_over(self) -> bool:
        return any(
            isinstance(callback, EarlyStoppingCallback)
            and callback.early_stopping_patience_counter >= callback.early_stopping_patience
            for callback in self.callback_handler.callbacks
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "eval_loss" in logs:
            if self.has_perplexity:
                logs["eval_perplexity"] = _perplexity(logs["eval_loss"])
        elif "loss" in logs:
            logs[self.speed_name] = self._speed()
        super().log(logs, start_time)

    def _speed(self) -> float:
        now, tokens = time.perf_counter(), self.tokens_so_far()
        before, earlier = self._last_log or (now, tokens)
        seconds = now - before - self.aside_seconds
        self._last_log, self.aside_seconds = (now, tokens), 0.0
        return (tokens - earlier) / seconds if seconds > 0 else 0.0

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        started, random_numbers = time.perf_counter(), torch.get_rng_state()
        on_devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        try:
            return super().evaluate(*args, **kwargs)  # type: ignore[no-any-return]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise EvaluationMemoryError(
                "Memory ran out while measuring the validation rows.",
                hint="Lower evaluation.per_device_eval_batch_size.",
            ) from None
        finally:
            # Whether and when rows are measured must not change what is learnt.
            torch.set_rng_state(random_numbers)
            if on_devices:
                torch.cuda.set_rng_state_all(on_devices)
            self.aside_seconds += time.perf_counter() - started

    def get_train_dataloader(self) -> Any:
        loader = super().get_train_dataloader()
        if self.args.dataloader_persistent_workers and loader.generator is None:
            # Loader processes are seeded when they start. Those that live on do so once, those of
            # a resumed run once more, which must not move the numbers of the training itself.
            inner = getattr(loader, "base_dataloader", loader)
            inner.generator = torch.Generator().manual_seed(self.args.seed)
        return loader

    def get_eval_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        # Dropping a short last batch is for training; every validation row is measured.
        drop_last, self.args.dataloader_drop_last = self.args.dataloader_drop_last, False
        try:
            return super().get_eval_dataloader(*args, **kwargs)
        finally:
            self.args.dataloader_drop_last = drop_last

    def row_lengths(self, dataset: Any) -> list[int]:
        """The length of each row, in tokens."""
        return [len(ids) for ids in dataset["input_ids"]]

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy == "group_by_length":
            return EpochLengthGroupedSampler(
                self.args.train_batch_size * self.args.gradient_accumulation_steps,
                lengths=self.row_lengths(dataset),
                seed=self.args.data_seed,
            )
        return super()._get_train_sampler(dataset)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        model = self.accelerator.unwrap_model(self.model)
        with _own_names(model, output_dir):
            super()._save(output_dir, state_dict)
        # A pickle that nothing reads again.
        if output_dir is not None:
            (Path(output_dir) / "training_args.bin").unlink(missing_ok=True)

    def _save_rng_state(self, output_dir: str) -> None:
        # The last thing before the trainer state, which is what makes a checkpoint count: by then
        # every process has written its part, and all of it is on the disk.
        super()._save_rng_state(output_dir)
        save_carry(Path(output_dir), self.args.process_index, self.carried())
        if dist.is_initialized():
            dist.barrier()
        if self.args.should_save:
            flush(Path(output_dir))

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: a run's card is written once, at its end."""

    def _send_telemetry(self) -> None:
        """Nothing is sent anywhere."""


@contextmanager
def _own_names(model: Any, folder: str | None) -> Iterator[None]:
    """In checkpoints the weights keep the names that they have in the model.

    The library writes those of some families under older names, as the hub has them, and does not
    find them again when it resumes.
    """
    checkpoint = folder is not None and Path(folder).name.startswith(PREFIX_CHECKPOINT_DIR)
    if not checkpoint or not isinstance(model, PreTrainedModel):
        yield
        return
    model.save_pretrained = partial(model.save_pretrained, save_original_format=False)
    try:
        yield
    finally:
        del model.save_pretrained


class EvaluationMemoryError(TrainingError):
    """Memory ran out in an evaluation, which a smaller training batch would not mend."""


def _perplexity(loss: float) -> float:
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
