"""For each task: its real trainer, over rows that are as long as a run may meet.

A task joins by an entry in ``_TRAINERS``: a function that builds the trainer its training function
would build, on a model that it is given and on rows made up to that length.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from ..engine.trainer import RunTrainer
from ..errors import LuthierError
from ..language import generic, supervised
from ..language.pipeline import Parts
from ..language.rows import Row, Rows
from ..spec import GradientSpec


@dataclass(frozen=True)
class Request:
    """What a trainer is built from.

    Attributes:
        spec: the run's, cut down to what decides the memory of a step.
        rows: how many rows a batch has.
        length: how many tokens each of them has.
        arguments: for TrainingArguments or a class made from it.
        load_model: makes the base model, on the meta device.
    """

    spec: Any
    rows: int
    length: int
    arguments: dict[str, Any]
    load_model: Callable[[], Any]


def build_trainer(request: Request) -> RunTrainer:
    """The trainer of the request's task; its first batch is the one to rehearse.

    Raises:
        LuthierError: the task has none here.
    """
    if request.spec.task not in _TRAINERS:
        known = ", ".join(_TRAINERS)
        raise LuthierError(
            f"There is no exact estimate for task {request.spec.task} yet.",
            hint=f"It knows {known}; the quick estimate knows every task.",
        )
    return _TRAINERS[request.spec.task](request)


def longest_row(spec: GradientSpec) -> int:
    """The tokens of the longest row that the spec allows."""
    for name in ("max_length", "block_size"):
        length = getattr(spec.training, name, None)
        if length is not None:
            return int(length)
    raise LuthierError(
        f"Nothing in a spec of task {spec.task} limits the length of its rows.",
        hint="Say it: --length.",
    )


def differ_in_length(spec: GradientSpec, rows: int) -> bool:
    """Whether rows of a batch have different lengths, or several lie in one, which needs masks."""
    if getattr(spec.training, "packing", False):
        return bool(getattr(spec.training, "packing_strategy", "") == "bfd")
    return rows > 1 and spec.task != "llm-generic"


def _supervised(request: Request) -> RunTrainer:
    request.spec.training.max_length = request.length
    return supervised.build_trainer(_parts(request))


def _generic(request: Request) -> RunTrainer:
    request.spec.training.block_size = request.length
    return generic.build_trainer(_parts(request))


def _parts(request: Request) -> Parts:
    ids, learnt = array("i", [0] * request.length), bytes([1] * request.length)
    rows = [Row(ids, learnt, 1.0)] * request.rows
    job: Any = _Job(request.spec)
    return Parts(job, Rows(rows, [], [], False), tokenizer(), request.arguments, request.load_model)


@dataclass(frozen=True)
class _Job:
    """As much of a job as building a trainer looks at."""

    spec: Any


def tokenizer() -> Any:
    """A tokenizer of one word, which trainers want although rows are tokens already."""
    words = Tokenizer(WordLevel({"word": 0}, unk_token="word"))
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="word", pad_token="word", eos_token="word"
    )


_TRAINERS: dict[str, Callable[[Request], RunTrainer]] = {
    "llm-sft": _supervised,
    "llm-generic": _generic,
}
