"""The trainer that a task's own training function makes, over a model with nothing in it.

One way for every task: its training function is called as a run calls it, on a file of rows made
up for it, while the libraries' loading gives hollow models; where it would begin to train, its
trainer is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import torch
from torch import nn
from transformers import AutoProcessor, AutoTokenizer, PreTrainedModel

from ..engine import pipeline
from ..engine.job import Job, Reporter
from ..engine.pipeline import Prepared
from ..engine.stopping import StopWatch
from ..engine.trainer import RunTrainer
from ..errors import LuthierError
from ..registry import find_task
from ..run_folder import RunFolder
from ..spec import GradientSpec
from .hollow import hollow
from .rows import draw, picture_sides, write_rows

_WRITES = "_generate_and_score_completions"


class _Taken(BaseException):
    """The trainer is there, and no step is to be taken."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        self.prepared = prepared


def own_trainer(
    spec: GradientSpec, rows: int, length: int, folder: Path, tokenizer: Any
) -> RunTrainer:
    """The trainer of the spec's task, its first batch the largest that a run may meet.

    Args:
        spec: cut down to what decides the memory of a step, for the CPU; it is changed.
        rows: of a batch.
        length: tokens of each row.
        folder: for the made-up rows; must stay as long as the trainer does.
        tokenizer: stands in for the model's where rows hold no pictures.

    Raises:
        LuthierError: the task has no step that can be rehearsed, or the spec cannot work.
    """
    training: Any = spec.training
    if hasattr(training, "distinct_batches"):
        # Rows made of one word would all count as the same.
        training.distinct_batches = False
    if hasattr(training, "max_length"):
        training.max_length = length
    if hasattr(training, "doc_stride"):
        training.doc_stride = min(training.doc_stride, length // 4)
    with _hollow_libraries(spec, tokenizer):
        path = made_up_rows(spec, rows, length, folder)
        spec.data = type(spec.data)(path=str(path), validation_fraction=0)
        trainer = _taken(_job(spec, folder))
    if hasattr(trainer, _WRITES):
        setattr(trainer, _WRITES, lambda asked: _written(trainer, len(asked), length))
    return trainer


def _written(trainer: Any, rows: int, length: int) -> dict[str, torch.Tensor]:
    """What a trainer that learns from texts of its own gets when they are written and judged."""
    answer = min(trainer.max_completion_length, length - 1)
    found = {
        f"{name}_{what}": torch.ones(rows, size, dtype=torch.long)
        for name, size in (("prompt", length - answer), ("completion", answer))
        for what in ("ids", "mask")
    }
    if trainer.beta:
        found["ref_per_token_logps"] = torch.zeros(rows, answer)
    return {
        **found,
        "advantages": torch.zeros(rows),
        "num_items_in_batch": torch.tensor(rows * answer),
    }


def made_up_rows(spec: GradientSpec, rows: int, length: int, folder: Path) -> Path:
    """A file of at least so many rows for the spec's task, as long or large as they may be.

    Args:
        folder: where the file is to lie, with the picture that its rows show.
    """
    return write_rows(spec, rows, length, folder, _picture(spec, length, folder))


def _taken(job: Job[GradientSpec]) -> RunTrainer:
    def take(job: Any, prepared: Prepared, *_: Any) -> NoReturn:
        raise _Taken(prepared)

    with patch.object(pipeline, "_watch", take):
        try:
            find_task(job.spec.task).imported("train")(job)
        except _Taken as taken:
            return taken.prepared.trainer
    raise LuthierError(f"{job.spec.task} trains in a way of its own, which cannot be rehearsed.")


def _job(spec: GradientSpec, folder: Path) -> Job[GradientSpec]:
    run = RunFolder(folder / "run")
    attempt = run.attempt(1)
    attempt.path.mkdir(parents=True, exist_ok=True)
    return Job(spec, run, attempt, Reporter(attempt), StopWatch(attempt))


def _picture(spec: GradientSpec, length: int, folder: Path) -> Path:
    """The largest picture that leaves room for words; nothing is drawn for rows without any."""
    path, family = folder / "picture.png", find_task(spec.task).family
    if family == "image":
        from ..image.pictures import load_image_processor

        size: Any = getattr(spec.training, "image_size", None)
        processor = load_image_processor(spec.model)
        return draw((size, size) if size else next(picture_sides(processor)), path)
    if family != "vision-language":
        return path
    from ..vision_language.processor import load_processor
    from ..vision_language.talks import Talks

    processor = load_processor(spec.model)
    talks, sides = Talks(processor, length), (1, 1)
    for sides in picture_sides(processor.image_processor):
        pictures = [_Sized(sides)]
        if talks.prompt_length({"question": "Why? " * 8, "pictures": pictures}) < length:
            break
    return draw(sides, path)


class _Sized:
    """A picture of which only the size is known."""

    def __init__(self, size: Sequence[int]) -> None:
        self.size = tuple(size)


@contextmanager
def _hollow_libraries(spec: GradientSpec, tokenizer: Any) -> Iterator[None]:
    """Loading gives models on the meta device, and a tokenizer of one word."""

    def load(kind: Any, /, source: Any, *_: Any, config: Any = None, **options: Any) -> Any:
        return hollow(kind, config, **options)

    def stay(module: nn.Module, *arguments: Any, **options: Any) -> nn.Module:
        if any(one.device.type == "meta" for one in module.parameters()):
            return module
        return _move(module, *arguments, **options)

    stands_in: dict[str, Any] = {"from_pretrained": lambda *_, **__: tokenizer}
    with ExitStack() as stack:
        stack.enter_context(patch.object(PreTrainedModel, "from_pretrained", classmethod(load)))
        stack.enter_context(patch.object(nn.Module, "to", stay))
        stack.enter_context(patch("luthier.trainers.sentence.mining._mined", _mined))
        if find_task(spec.task).family != "vision-language":
            stack.enter_context(patch.multiple(AutoTokenizer, **stands_in))
            stack.enter_context(patch.multiple(AutoProcessor, **stands_in))
        yield


_move = nn.Module.to


def _mined(
    training: Any, model: Any, texts: Mapping[str, Sequence[str]], *_: Any
) -> dict[str, list[str]]:
    """As many negatives as are asked for, as long as the texts."""
    columns = {name: list(values) for name, values in texts.items()}
    last = list(columns.values())[-1]
    names = [f"negative_{number}" for number in range(1, training.hard_negatives + 1)]
    return columns | dict.fromkeys(names, last)
