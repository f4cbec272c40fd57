"""The ladder for runs that do not fit: smaller batches in the same step. Torch-free."""

from __future__ import annotations

import json
import os

from ..errors import TrainingError
from ..events import WarningEvent
from ..run_folder import AttemptFolder, write_json
from ..spec import GradientSpec
from .job import Adjustments, Reporter

_TEXTS = (
    "out of memory",
    "can't allocate memory",
    "std::bad_alloc",
    "bad allocation",
    "could not create a memory object",
    "could not create a primitive",
)


def read_adjustments(attempt: AttemptFolder, spec: GradientSpec) -> Adjustments | None:
    """What earlier tries have settled on, None when nothing was changed.

    A spec with another effective batch was changed since, and its own batch counts again.
    """
    path, training = attempt.adjustments, spec.training
    if not path.exists():
        return None
    found = Adjustments.model_validate_json(path.read_bytes())
    told = training.per_device_train_batch_size * training.gradient_accumulation_steps
    kept = found.per_device_train_batch_size * found.gradient_accumulation_steps
    return found if kept == told else None


def apply_adjustments(spec: GradientSpec, adjustments: Adjustments | None) -> None:
    """Put the smaller batch into the spec.

    A checkpoint stays good for it. The trainer remembers its place in the data as a number of
    steps, and skips as many steps times accumulated batches of the new size. Those are the same
    rows, because the order of rows depends on the seed and the epoch only, and an epoch has as
    many steps as before (one more at most with dataloader_drop_last, which drops fewer rows of a
    smaller batch).
    """
    if adjustments is not None:
        training = spec.training
        training.per_device_train_batch_size = adjustments.per_device_train_batch_size
        training.gradient_accumulation_steps = adjustments.gradient_accumulation_steps


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, on a GPU or on the host."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _TEXTS):
            return True
        error = error.__cause__
    return False


def next_adjustments(spec: GradientSpec, before: Adjustments | None) -> Adjustments:
    """The next rung down, with the same effective batch.

    Raises:
        TrainingError: there is none.
    """
    training = spec.training
    batch = training.per_device_train_batch_size
    retries = (before.retries if before else 0) + 1
    if batch == 1:
        raise TrainingError("Memory ran out with a single row in the batch.", hint=_hint(spec))
    if retries > training.out_of_memory_retries:
        raise TrainingError(
            f"Memory ran out with {batch} rows in the batch, and all "
            f"{training.out_of_memory_retries} retries with smaller batches are used up.",
            hint=_hint(spec),
        )
    # An odd batch has no half; its smallest divisor keeps the effective batch what it was.
    factor = next(number for number in range(2, batch + 1) if batch % number == 0)
    return Adjustments(
        per_device_train_batch_size=batch // factor,
        gradient_accumulation_steps=training.gradient_accumulation_steps * factor,
        retries=retries,
    )


def request_restart(attempt: AttemptFolder, reporter: Reporter, new: Adjustments) -> None:
    """Ask the supervisor to start the worker again with the new batch.

    Of several processes that run out of memory together, the first one speaks.
    """
    try:
        claim = os.open(attempt.restart_request, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    with os.fdopen(claim, "w", encoding="utf-8") as file:
        write_json(attempt.adjustments, new.model_dump())
        rows, steps = new.per_device_train_batch_size, new.gradient_accumulation_steps
        reporter.emit_from_any(
            WarningEvent(
                message=f"Memory ran out. The run starts again from its last checkpoint with "
                f"{_count(rows, 'row')} at a time and {steps} forward passes a step, so a step "
                f"still sees as many rows (retry {new.retries}).",
                where="training.per_device_train_batch_size",
            )
        )
        json.dump({"reason": "out of memory"}, file)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _hint(spec: GradientSpec) -> str:
    advice = []
    if not spec.training.gradient_checkpointing:
        advice.append("set training.gradient_checkpointing to true")
    if spec.peft.method == "none":
        advice.append("train an adapter (peft.method lora)")
    elif not spec.model.load_in_4bit:
        advice.append("set model.load_in_4bit to true")
    advice.append("use shorter rows or a smaller model")
    return f"To mend it, {', or '.join(advice)}."
