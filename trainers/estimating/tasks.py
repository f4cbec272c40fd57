"""For each task: its real trainer, over rows that are as long as a run may meet.

Supervised language models have entries in ``_TRAINERS``, which build the trainer on tokens at once
and need no more than the model's configuration. Every other task is asked for its trainer by
``own_way``.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from ..engine.trainer import RunTrainer
from ..errors import LuthierError
from ..language import generic, supervised
from ..language.pipeline import Parts
from ..language.rows import Row, Rows
from ..registry import find_task
from ..spec import GradientSpec
from .own_way import own_trainer
from .rows import WORD

# Tokens of a prompt where nothing limits them.
_PROMPT = 512


@dataclass(frozen=True)
class Request:
    """What a trainer is built from.

    Attributes:
        spec: the run's, cut down to what decides the memory of a step.
        rows: how many rows a batch has.
        length: how many tokens each of them has.
        arguments: for TrainingArguments or a class made from it.
        load_model: makes the base model, on the meta device.
        folder: an empty one for what the trainer reads; stays while the trainer is used.
    """

    spec: Any
    rows: int
    length: int
    arguments: dict[str, Any]
    load_model: Callable[[], Any]
    folder: Path


def build_trainer(request: Request) -> RunTrainer:
    """The trainer of the request's task; its first batch is the one to rehearse.

    Raises:
        LuthierError: the task has no step that can be rehearsed.
    """
    build = _TRAINERS.get(request.spec.task)
    if build is not None:
        return build(request)
    return own_trainer(request.spec, request.rows, request.length, request.folder, tokenizer())


def longest_row(spec: GradientSpec) -> int:
    """The tokens of the longest row that the spec allows."""
    for name in ("max_length", "block_size"):
        length = getattr(spec.training, name, None)
        if length is not None:
            return int(length)
    if find_task(spec.task).family == "image":
        return 0
    written = getattr(spec.training, "max_completion_length", None)
    if written is not None:
        return int(written) + int(spec.training.model_dump().get("max_prompt_length") or _PROMPT)
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
    words = Tokenizer(WordLevel({WORD: 0}, unk_token=WORD))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token=WORD, pad_token=WORD, eos_token=WORD
    )


_TRAINERS: dict[str, Callable[[Request], RunTrainer]] = {
    "llm-sft": _supervised,
    "llm-generic": _generic,
}
