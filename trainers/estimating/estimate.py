"""From a spec to an exact estimate."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from ..engine.arguments import training_arguments
from ..engine.placement import resolve_precision
from ..errors import LuthierError
from ..spec import GradientSpec
from .hollow import load_hollow
from .ledger import Ledger
from .rehearsal import rehearse
from .report import DeviceKind, ExactEstimate, Moment
from .tasks import Request, build_trainer, differ_in_length, longest_row

PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "temporary", "sharing")
# bf16 stands in for fp16, which a CPU trainer refuses: its tensors have the same sizes.
_REHEARSED: dict[str, Literal["no", "bf16"]] = {"fp16": "bf16", "bf16": "bf16", "no": "no"}
_COMPUTE = {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}


def exact_estimate(
    spec: GradientSpec,
    *,
    device: DeviceKind = "cuda",
    precision: str | None = None,
    rows: int | None = None,
    length: int | None = None,
    unequal: bool | None = None,
) -> ExactEstimate:
    """The tensors of one step of that run, on one of its devices.

    Args:
        spec: the run's; it is not changed.
        device: where the run is to be.
        precision: no, fp16 or bf16; silent: the spec's, or what such devices usually have.
        rows: of the batch; silent: the spec's.
        length: tokens of each row; silent: the longest that the spec allows.
        unequal: whether rows differ in length; silent: where they usually do.

    Raises:
        LuthierError: the model's configuration cannot be read, or there is no exact estimate for
            such a run.
    """
    began = time.perf_counter()
    _refuse(spec)
    precision = precision or _precision(spec, device)
    rows = rows or spec.training.per_device_train_batch_size
    length = length or longest_row(spec)
    if unequal is None:
        unequal = differ_in_length(spec, rows)
    notes = _notes(spec, precision)
    with TemporaryDirectory(prefix="luthier-estimate-") as folder:
        trainer = build_trainer(_request(spec, precision, rows, length, Path(folder)))
        done = rehearse(trainer, device, unequal=unequal)
    peak, parts, moment = account(done.ledger, done.start)
    alive = done.ledger.alive(done.start - 1)
    resident = sum(storage.size for storage in alive if storage.kind)
    parameters = list(trainer.model.parameters())
    parts["sharing"] = _buckets(spec, parameters)
    return ExactEstimate(
        task=spec.task,
        model=spec.model.name_or_path,
        method=spec.peft.method,
        device=device,
        precision=precision,
        rows=rows,
        length=length,
        pixels=done.pixels,
        peak=peak + parts["sharing"],
        parts=parts,
        at=moment,
        resident=resident + parts["sharing"],
        parameters=sum(one.numel() for one in parameters),
        trainable=sum(one.numel() for one in parameters if one.requires_grad),
        seconds=time.perf_counter() - began,
        notes=notes,
    )


def account(ledger: Ledger, start: int) -> tuple[int, dict[str, int], Moment]:
    """The most bytes alive at once since that event, what they consist of, and when it was."""
    peak, event = ledger.peak(start)
    alive = ledger.alive(event)
    parts = Counter(dict.fromkeys(PARTS, 0))
    for storage in alive:
        kind = storage.kind or ("activations" if ledger.is_kept(storage) else "temporary")
        parts[kind] += storage.size
    last = max(alive, key=lambda storage: storage.born)
    return (
        peak,
        dict(parts),
        Moment(phase=last.phase, operation=last.operation, module=_shown(last.module)),
    )


def _shown(module: str) -> str:
    """A module's name without what peft puts in front."""
    return module.removeprefix("base_model.model.")


def _refuse(spec: GradientSpec) -> None:
    launch = spec.launch
    if launch.strategy in ("fsdp", "deepspeed"):
        raise LuthierError(
            f"launch.strategy: the exact estimate knows no shards, as {launch.strategy} makes.",
            hint="The quick estimate knows them.",
        )
    if spec.model.device_map is not None:
        raise LuthierError(
            "model.device_map: the exact estimate knows one device, not layers spread over several."
        )


def _precision(spec: GradientSpec, device: DeviceKind) -> str:
    if spec.launch.precision != "auto":
        return spec.launch.precision
    if device == "cpu":
        return resolve_precision(spec, "cpu")
    return "fp16" if device == "qaic" else "bf16"


def _request(spec: GradientSpec, precision: str, rows: int, length: int, folder: Path) -> Request:
    spec = spec.model_copy(deep=True)
    training = spec.training
    training.per_device_train_batch_size = rows
    training.max_steps, training.num_train_epochs = 1, 1.0
    training.report_to, training.dataloader_num_workers = [], 0
    training.dataloader_prefetch_factor, training.dataloader_persistent_workers = None, False
    training.dataloader_pin_memory = training.torch_compile = training.full_determinism = False
    training.torch_compile_backend = training.torch_compile_mode = training.tf32 = None
    training.lr_scheduler_type, training.lr_scheduler_kwargs = "constant", {}
    training.save_strategy = spec.evaluation.strategy = "no"
    spec.evaluation.load_best_model_at_end = False
    spec.launch.processes, spec.launch.ddp_backend = 1, None
    spec.launch.precision, spec.launch.threads = _REHEARSED[precision], None
    if spec.model.attn_implementation == "flash_attention_2":
        spec.model.attn_implementation = "sdpa"
    # Others need numbers to start from, and end with the same sizes.
    if getattr(spec.peft, "init_lora_weights", "default") != "gaussian":
        spec.peft.init_lora_weights = "default"
    arguments = training_arguments(
        spec,
        output=folder / "output",
        precision=_REHEARSED[precision],
        device="cpu",
    )
    compute = _COMPUTE[precision]

    def load(**options: Any) -> Any:
        return load_hollow(spec, compute, **options)

    return Request(spec, rows, length, arguments, load, folder)


def _buckets(spec: GradientSpec, parameters: list[torch.nn.Parameter]) -> int:
    """Several processes exchange gradients in buckets that are as large as the gradients."""
    if spec.launch.processes == 1:
        return 0
    return sum(one.numel() * one.element_size() for one in parameters if one.requires_grad)


def _notes(spec: GradientSpec, precision: str) -> list[str]:
    notes = []
    if spec.training.torch_compile:
        notes.append("torch_compile is left out: compiled code keeps fewer activations.")
    if spec.model.load_in_4bit or spec.model.load_in_8bit:
        notes.append("Sizes of the quantised weights and their constants are by arithmetic.")
    if spec.training.optim.startswith("paged"):
        notes.append("The optimizer's state is counted in full; it may be paged out to the host.")
    if spec.model.attn_implementation == "flash_attention_2":
        notes.append("flash_attention_2 is counted as sdpa, which keeps the same tensors.")
    if spec.task == "llm-grpo":
        notes.append("Writing the texts is not rehearsed, only learning from them.")
    if getattr(spec.training, "hard_negatives", 0):
        notes.append("Finding the hard negatives before the first step is not rehearsed.")
    if precision == "fp16":
        notes.append("fp16 is rehearsed as bf16, which has the same sizes.")
    return notes
