"""Texts that a model writes: at evaluations, with their scores and samples, and in predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, Trainer
from typing_extensions import TypeVar

from ..data.records import Record
from ..engine import reports
from ..engine.column_task import ColumnTask, Measured
from ..engine.column_trainer import ColumnTrainer
from ..events import SampleEvent
from ..spec import GradientSpec
from .writing_scores import similarity, written_figures

IGNORED = -100
"""The label of a token that is not learnt."""

S = TypeVar("S", bound=GradientSpec, default=GradientSpec, covariant=True)


def write(
    model: Any, inputs: Mapping[str, Any], *, beams: int, longest: int, **ids: Any
) -> torch.Tensor:
    """The likeliest texts for a batch, as token ids. No random number is drawn.

    Args:
        model: of transformers; one without an encoder repeats its inputs first.
        inputs: what it is given.
        beams: of the search; 1 always takes the likeliest token.
        longest: most tokens that are written.
        ids: special tokens other than those of the model, such as ``eos_token_id``.
    """
    found: torch.Tensor = model.generate(
        **inputs,
        generation_config=GenerationConfig(
            do_sample=False,
            num_beams=beams,
            max_new_tokens=longest,
            use_cache=True,
            **{**_token_ids(model.generation_config), **ids},
        ),
    )
    return found


def _token_ids(config: Any) -> dict[str, Any]:
    names = (
        "pad_token_id",
        "eos_token_id",
        "bos_token_id",
        "decoder_start_token_id",
        "forced_bos_token_id",
        "forced_eos_token_id",
    )
    return {name: getattr(config, name, None) for name in names}


def token_losses(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """The loss of each token (rows, tokens), 0 where nothing is learnt.

    Args:
        logits: scores (rows, tokens, vocabulary), each for the label at its own place.
        labels: token ids (rows, tokens).
        smoothing: share of the target that goes to all other tokens.
    """
    return cross_entropy(
        logits.float().transpose(1, 2),
        labels,
        reduction="none",
        ignore_index=IGNORED,
        label_smoothing=smoothing,
    )


class WritingTrainer(ColumnTrainer, Trainer):
    """At evaluations the model writes texts, besides its loss."""

    _task: WritingTask[Any]

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> Any:
        batch = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            loss, outputs = self.compute_loss(model, batch, return_outputs=True)
            written = self._task.write(self.accelerator.unwrap_model(model), batch)
        found = (written, *self._task.found(outputs, batch))
        return loss.detach(), found, batch[self._task.label_names[0]]


class WritingTask(ColumnTask[S]):
    """A task whose result is a text.

    Attributes:
        given: the role of what a text is made of, as samples show it.
        expected: the role of the text that is learnt.
    """

    trainer = WritingTrainer
    given: ClassVar[str]
    expected: ClassVar[str]

    def write(self, model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """The texts that the model writes for a batch, as token ids."""
        raise NotImplementedError

    def found(self, outputs: Any, batch: Mapping[str, Any]) -> tuple[torch.Tensor, ...]:
        """What else ``measure`` gets of each row beside the text; count it in kept_outputs."""
        return ()

    def texts(self, ids: np.ndarray) -> list[str]:
        """Token ids as texts."""
        pad = self.processor.pad_token_id
        plain = np.where(ids == IGNORED, pad, ids)
        texts: list[str] = self.processor.batch_decode(plain, skip_special_tokens=True)
        return texts

    def judged(self, texts: Sequence[str], records: Sequence[Record], samples: int) -> Measured:
        """Scores of the texts, the worst of them, and the first as samples."""
        expected = [record.values[self.expected] for record in records]
        outcomes = [
            (target, text, score, 100 - score)
            for target, text in zip(expected, texts, strict=True)
            for score in [similarity(text, target)]
        ]
        shown = [
            SampleEvent(step=0, prompt=record.values[self.given], text=text, expected=target)
            for record, text, target in zip(records, texts, expected, strict=True)
        ]
        worst = reports.worst_rows(records, outcomes, "chrF")
        return Measured(written_figures(texts, expected), [worst], shown[:samples])
