"""What the vision-language tasks share: training on answers alone, and writing answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from typing_extensions import TypeVar

from ..data.columned import ColumnedFindings
from ..data.images import given_picture
from ..data.records import Record
from ..data.table import where_all
from ..engine.column_task import Measured
from ..errors import DataError, Problem
from ..predicting.models import ModelPredictor
from ..text.writing import IGNORED, WritingTask, token_losses, write
from .parts import trained_parts
from .processor import load_processor
from .settings import PictureSpec
from .talks import PROMPT, TalkCollator, Talks

S = TypeVar("S", bound=PictureSpec, default=PictureSpec, covariant=True)
_KEEP = "logits_to_keep"


class PictureTask(WritingTask[S]):
    """Pictures with a prompt, and the answer to learn; what comes before it is never learnt."""

    given, expected = "question", "answer"
    kept_outputs = 3

    talks: Talks
    keeps_few: bool
    rows: dict[str, list[dict[str, Any]]]

    def load_processor(self) -> Any:
        processor = load_processor(self.spec.model)
        self.talks = Talks(processor, self.spec.training.max_length)
        return processor

    def learn(self, found: ColumnedFindings) -> None:
        self.rows = {name: [r.values for r in found.records(name)] for name in found.built}

    def token_lengths(self, records: Sequence[Record]) -> Sequence[int]:
        return [sum(lengths) for lengths in self._lengths(records)]

    def _lengths(self, records: Sequence[Record]) -> list[tuple[int, int]]:
        """Tokens of each row's prompt and answer."""
        talks = self.talks
        return [(talks.prompt_length(r.values), len(talks.answer(r.values))) for r in records]

    def adapted(self, model: Any) -> Any:
        self.keeps_few = _KEEP in inspect.signature(model.forward).parameters
        config = model.generation_config
        config.eos_token_id = ends_of(model, self.talks)
        config.pad_token_id = self.processor.tokenizer.pad_token_id
        return trained_parts(model, self.spec)

    def encode(self, records: Sequence[Record], *, training: bool) -> Any:
        limit = self.spec.training.max_length
        lengths = self._lengths(records)
        pairs = zip(records, lengths, strict=True)
        full = [record.where for record, (prompt, _) in pairs if prompt >= limit]
        if full:
            text = (
                f"pictures and question alone have {limit} tokens or more, which leaves no room "
                "for an answer; raise training.max_length"
            )
            raise DataError([Problem(text, where_all(full))])
        # The tokens themselves come with the opened pictures; here only their number counts.
        sizes = [min(prompt + answer, limit) for prompt, answer in lengths]
        return Dataset.from_dict(
            {
                "split": ["train" if training else "validation"] * len(records),
                "number": list(range(len(records))),
                "input_ids": [np.zeros(size, dtype=np.int32) for size in sizes],
            }
        )

    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        return TalkCollator(self.talks, self.rows, keeps_few=self.keeps_few)

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {n: v for n, v in batch.items() if n != "labels" and not n.startswith(PROMPT)}

    def losses(self, outputs: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        smoothing = self.spec.training.label_smoothing_factor
        return token_losses(outputs.logits[:, :-1], _targets(batch), smoothing)

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        counted: torch.Tensor = _targets(batch).ne(IGNORED).float()
        return counted

    def write(self, model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        lying = {n.removeprefix(PROMPT): v for n, v in batch.items() if n.startswith(PROMPT)}
        pictures = {n: v for n, v in self.inputs(batch).items() if n not in (*lying, _KEEP)}
        return write_answers(model, {**pictures, **lying}, self.spec)

    def found(self, outputs: Any, batch: Mapping[str, Any]) -> tuple[torch.Tensor, ...]:
        targets = _targets(batch)
        learnt = targets.ne(IGNORED)
        right = outputs.logits[:, :-1].argmax(-1).eq(targets) & learnt
        return right.sum(1), learnt.sum(1)

    def measure(self, predictions: Any, labels: Any, records: Sequence[Record]) -> Measured:
        written, right, learnt = predictions
        texts = [text.strip() for text in self.texts(written)]
        measured = self.judged(texts, records, self.spec.evaluation.samples)
        measured.values["token_accuracy"] = 100 * float(right.sum() / max(1, learnt.sum()))
        self.compare(measured, texts, [record.values["answer"] for record in records])
        return measured

    def texts(self, ids: np.ndarray) -> list[str]:
        tokenizer = self.processor.tokenizer
        plain = np.where(ids == IGNORED, tokenizer.pad_token_id, ids)
        texts: list[str] = tokenizer.batch_decode(plain, skip_special_tokens=True)
        return texts

    def compare(self, measured: Measured, texts: Sequence[str], answers: Sequence[str]) -> None:
        """Put further figures of the written texts into what was measured."""


def _targets(batch: Mapping[str, Any]) -> torch.Tensor:
    """The label of each place that is scored but the last."""
    labels: torch.Tensor = batch["labels"]
    return labels[:, 1 - batch[_KEEP] :] if _KEEP in batch else labels[:, 1:]


def ends_of(model: Any, talks: Talks) -> list[int]:
    """The tokens at which an answer ends: the model's own, and that of the chat template."""
    own = model.generation_config.eos_token_id
    known = own if isinstance(own, list) else [own]
    return sorted({talks.end, talks.processor.tokenizer.eos_token_id, *known} - {None})


def write_answers(model: Any, inputs: Mapping[str, Any], spec: PictureSpec) -> torch.Tensor:
    """The likeliest answers for a batch of prompts, as token ids without the prompts."""
    evaluation = spec.evaluation
    longest = evaluation.max_new_tokens
    found = write(model, inputs, beams=evaluation.num_beams, longest=longest)
    return found[:, inputs["input_ids"].shape[1] :]


class PicturePredictor(ModelPredictor):
    """What the model says about pictures. Subclasses name the role and what is asked."""

    role: str
    batch_size = 4

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._talks = Talks(self.processor, self.spec.training.max_length)
        self.model.generation_config.eos_token_id = ends_of(self.model, self._talks)

    def question(self, row: Mapping[str, Any]) -> str:
        """What the model is told with the row's pictures."""
        raise NotImplementedError

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        asked = [
            {"question": self.question(row), "pictures": opened_pictures(row["image"])}
            for row in rows
        ]
        prompts = self.to_device(self._talks.prompts(asked))
        written = write_answers(self.model, prompts, self.spec)
        texts = self.processor.tokenizer.batch_decode(written, skip_special_tokens=True)
        return [{self.role: text.strip()} for text in texts]


def opened_pictures(value: Any) -> list[Any]:
    """The picture, or the pictures, that an input names. Raises PictureError."""
    return [given_picture(each) for each in (value if isinstance(value, list) else [value])]
