"""Before step 1: the longest batch, forwards and backwards, so that what runs out does so now.

Nothing of the run is changed by it: a run with the probe is bit for bit the run without.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow.compute as pc
import torch
from transformers import Trainer

from ..events import MemoryEvent
from ..run_folder import write_json
from .job import Job, process_index
from .meter import Meter
from .trainer import RunTrainer
from .untouched import untouched

# Bytes of optimizer state for each trained parameter, besides what has the parameter's own type
# (_STATES). Source: torch.optim and bitsandbytes.optim, where the states are made.
_BYTES = {
    "adamw_bnb_8bit": 2,
    "adamw_8bit": 2,
    "paged_adamw_8bit": 2,
    "paged_adamw_32bit": 8,
    "lion_32bit": 4,
    "lion_8bit": 1,
    "paged_lion_32bit": 4,
    "paged_lion_8bit": 1,
    "ademamix": 12,
    "ademamix_8bit": 3,
}
# A limit beyond it counts pixels and not those of a side.
_MOST_SIDE = 1 << 16
_STATES = {"adamw_torch": 2, "adamw_torch_fused": 2, "rmsprop": 1, "adagrad": 1}


def probe(job: Job[Any], trainer: RunTrainer, meter: Meter | None) -> None:
    """Try the longest batch and say what it took.

    Runs of earlier attempts that were tried with the same settings are not tried again. Every
    process of the run must call this together.

    Raises:
        RuntimeError, MemoryError: memory ran out, as in a step.
    """
    if meter is None or not may_probe(job, trainer):
        return
    path = job.run.path / f"probe-{process_index()}.json"
    settings = _settings(job, meter)
    if path.exists() and json.loads(path.read_bytes()).get("settings") == settings:
        return
    job.reporter.phase("probing")
    event = _try(job, trainer, meter)
    job.reporter.emit(event)
    write_json(path, {"settings": settings, "memory": event.model_dump(mode="json")})


def may_probe(job: Job[Any], trainer: RunTrainer) -> bool:
    """Whether a pass over a batch is possible and leaves nothing behind.

    Compiled code depends on the shapes that it met first; sharded models gather in every pass what
    another part of the library takes apart again; trainers that prepare a batch by generating text
    keep it for later steps.
    """
    training, strategy = job.spec.training, job.spec.launch.strategy
    generates = type(trainer)._prepare_inputs is not Trainer._prepare_inputs
    return bool(
        training.memory_probe
        and not training.torch_compile
        and strategy not in ("fsdp", "deepspeed")
        and not generates
        and hasattr(trainer.train_dataset, "__len__")
    )


def _settings(job: Job[Any], meter: Meter) -> str:
    """A fingerprint of everything that decides what the probe would find."""
    spec = job.spec.model_dump(mode="json", exclude={"name", "output"})
    told = json.dumps([spec, meter.name, job.fingerprint], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _try(job: Job[Any], trainer: RunTrainer, meter: Meter) -> MemoryEvent:
    model = trainer.model_wrapped
    with untouched(trainer):
        batch = longest_batch(trainer)
        # The loop sets it at every step; losses that are means of a batch are divided by it.
        trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
        held = _place_of_state(job, trainer)
        count = trainer._get_num_items_in_batch([batch], trainer.args.device)
        meter.finish()
        meter.restart()
        began = time.perf_counter()
        # Gradients stay in the process, so that the exchange of step 1 is the first one.
        with trainer.accelerator.no_sync(model):
            trainer.training_step(model, batch, count)
        meter.finish()
        seconds = time.perf_counter() - began
        peak = meter.peak()
        del held
    return MemoryEvent(
        source="probe",
        step=trainer.state.global_step,
        device=meter.device,
        device_name=meter.name,
        peak=peak.total,
        allocated=peak.allocated,
        seconds=seconds * trainer.args.gradient_accumulation_steps,
        rows=trainer.args.per_device_train_batch_size,
        length=longest_length(trainer),
    )


def longest_batch(trainer: RunTrainer) -> dict[str, Any]:
    """A batch of the training rows with the most tokens, or the largest pictures."""
    dataset, size = trainer.train_dataset, trainer.args.per_device_train_batch_size
    collate = trainer.data_collator
    if isinstance(dataset, datasets.Dataset):
        chosen: Sequence[int] = _with_most_pictures(trainer, longest_rows(dataset, size))
        dataset = trainer._remove_unused_columns(dataset)
    else:
        chosen = _largest(trainer, size)
        collate = trainer._get_collator_with_removed_columns(collate)
    rows = [dataset[int(number)] for number in chosen]
    batch: dict[str, Any] = dict(collate(rows))
    return batch


def _largest(trainer: RunTrainer, size: int) -> Sequence[int]:
    """Rows with the largest pictures; the first ones of rows without."""
    dataset = trainer.train_dataset
    pictures = [record.values.get("image") for record in getattr(dataset, "records", ())]
    if not pictures or None in pictures:
        return range(min(size, len(dataset)))
    processor = trainer.processing_class
    return largest_pictures([seen_size(each.size, processor) for each in pictures], size)


def largest_pictures(sizes: Sequence[tuple[int, int]], size: int) -> list[int]:
    """Numbers of the rows whose pictures make the largest batch.

    The pictures of a batch are padded to the widest and the highest of them.

    Args:
        sizes: width and height of each row's picture as the model sees it.
        size: rows of the batch.
    """
    numbers = range(len(sizes))
    by_pixels = sorted(numbers, key=lambda n: -sizes[n][0] * sizes[n][1])
    if size < 2:
        return by_pixels[:size]
    widest = max(numbers, key=lambda n: sizes[n])
    highest = max(numbers, key=lambda n: (sizes[n][1], sizes[n][0]))
    return list(dict.fromkeys([widest, highest, *by_pixels]))[:size]


def seen_size(picture: tuple[int, int], processor: Any) -> tuple[int, int]:
    """Width and height that a processor which keeps proportions gives a picture.

    Others make all pictures equally large, and any order of them will do.
    """
    limits = dict(getattr(processor, "size", None) or {})
    shortest, longest = limits.get("shortest_edge"), limits.get("longest_edge")
    if not shortest or not longest or longest > _MOST_SIDE:
        return picture
    scale = min(shortest / min(picture), longest / max(picture))
    return round(picture[0] * scale), round(picture[1] * scale)


def _with_most_pictures(trainer: RunTrainer, chosen: Sequence[int]) -> list[int]:
    """The rows with the last one replaced by that whose pictures have the most places.

    Rows of a batch are padded to the pictures of that row, however few words it has.
    """
    task = getattr(trainer, "_task", None)
    talks, rows = getattr(task, "talks", None), getattr(task, "rows", {}).get("train")
    if talks is None or not rows:
        return list(chosen)
    places: dict[tuple[tuple[int, int], ...], int] = {}
    for row in rows:
        sizes = _sizes(row)
        if sizes not in places:
            places[sizes] = talks.prompt_length({"question": "", "pictures": row["pictures"]})
    most = max(places, key=lambda sizes: places[sizes])
    if any(_sizes(rows[number]) == most for number in chosen):
        return list(chosen)
    return [*chosen[:-1], next(n for n, row in enumerate(rows) if _sizes(row) == most)]


def _sizes(row: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    return tuple(picture.size for picture in row["pictures"])


def longest_rows(dataset: datasets.Dataset, size: int) -> Sequence[int]:
    """Numbers of the rows with the most tokens; the first rows where there are no tokens."""
    chosen = np.argsort(-row_lengths(dataset), kind="stable")[:size]
    return [int(number) for number in chosen]


def longest_length(trainer: RunTrainer) -> int:
    """Tokens of the longest training row; 0 where rows are no tokens."""
    dataset = trainer.train_dataset
    known = isinstance(dataset, datasets.Dataset) and len(dataset) > 0
    return int(row_lengths(dataset).max()) if known else 0


def row_lengths(dataset: datasets.Dataset) -> Any:
    """Tokens of each row: the entries of all its columns of token ids together."""
    total = np.zeros(len(dataset), dtype=np.int64)
    table = dataset.with_format("arrow")
    for name in dataset.column_names:
        if not name.endswith("ids"):
            continue
        column = table.select_columns([name])[:][name]
        try:
            lengths = pc.list_value_length(column)
        except NotImplementedError:  # one number a row
            continue
        total += np.nan_to_num(lengths.to_numpy(zero_copy_only=False)).astype(np.int64)
    return total


def _place_of_state(job: Job[Any], trainer: RunTrainer) -> torch.Tensor | None:
    """As much memory as the optimizer's state will take after step 1, and does not yet."""
    optim = job.spec.training.optim
    device = trainer.args.device
    if optim.startswith("paged") and device.type == "cuda":
        return None
    trained = [one for one in trainer.model.parameters() if one.requires_grad]
    each, states = _BYTES.get(optim, 0), _STATES.get(optim, 0)
    expected = sum(one.numel() * (each + states * one.element_size()) for one in trained)
    missing = expected - sum(
        value.numel() * value.element_size()
        for state in trainer.optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )
    if missing <= 0:
        return None
    # Written to, because the kernel gives memory only then.
    return torch.ones(missing, dtype=torch.uint8, device=device)
