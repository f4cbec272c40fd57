"""What the run really got: devices, number types, world size. Measured, then compared."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import torch
from accelerate.utils import DistributedType, gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..errors import Problem, SpecError, TrainingError
from ..events import PlacementEvent
from ..spec import GradientSpec
from ..spec.sections import Precision
from .job import Job
from .meter import Meter
from .probe import probe
from .trainer import RunTrainer

_STRATEGIES = {
    DistributedType.NO: "single",
    DistributedType.MULTI_CPU: "ddp",
    DistributedType.MULTI_GPU: "ddp",
    DistributedType.FSDP: "fsdp",
    DistributedType.DEEPSPEED: "deepspeed",
}
_DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def device_kind(spec: GradientSpec) -> str:
    """cpu, cuda or qaic: what the agent gave the run, or what this machine has."""
    given = os.environ.get("LUTHIER_DEVICE")
    if given:
        return given
    return "cuda" if spec.launch.devices != "cpu" and torch.cuda.is_available() else "cpu"


def resolve_precision(spec: GradientSpec, device: str) -> Precision:
    """The mixed precision for this device; ``auto`` becomes bf16 where the hardware has it.

    Raises:
        SpecError: the device cannot do what the spec asks for.
    """
    asked = spec.launch.precision
    if asked == "bf16" and device != "cpu" and not _has_bf16(device):
        raise SpecError(
            [Problem(f"this {device} device has no bf16; use fp16", "launch.precision")]
        )
    if asked != "auto":
        return asked
    return "bf16" if _has_bf16(device) else "no"


def _has_bf16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "cpu":
        able = torch.cpu.get_capabilities()
        return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return False


def measure(model: torch.nn.Module, accelerator: Any) -> PlacementEvent:
    """Look at the parameters themselves; every process must call this together."""
    dtypes: Counter[str] = Counter()
    devices: set[str] = set()
    trainable = total = 0
    for parameter in model.parameters():
        # DeepSpeed leaves an empty stub in place of a parameter that lies elsewhere.
        count = int(getattr(parameter, "ds_numel", parameter.numel()))
        dtypes[str(parameter.dtype).removeprefix("torch.")] += count
        devices.add(str(parameter.device))
        total += count
        trainable += count if parameter.requires_grad else 0
    mine = [" ".join(sorted(devices))]
    return PlacementEvent(
        devices=gather_object(mine) if accelerator.num_processes > 1 else mine,
        dtypes=dict(dtypes),
        precision=str(accelerator.mixed_precision),
        strategy=_STRATEGIES.get(accelerator.distributed_type, str(accelerator.distributed_type)),
        world_size=accelerator.num_processes,
        trainable_parameters=trainable,
        total_parameters=total,
    )


def verify(
    spec: GradientSpec, precision: str, device: str, found: PlacementEvent, model: torch.nn.Module
) -> None:
    """Compare with the spec. Raises TrainingError that names every difference."""
    launch = spec.launch
    strategy = launch.strategy
    if strategy == "auto":
        strategy = "ddp" if launch.processes > 1 else "single"
    if strategy == "ddp" and launch.processes == 1:
        strategy = "single"
    differences = [
        f"{name} is {real}, not {asked}"
        for name, asked, real in (
            ("launch.processes", launch.processes, found.world_size),
            ("launch.strategy", strategy, found.strategy),
            ("launch.precision", precision, found.precision),
        )
        if asked != real
    ]
    kinds = {part.split(":")[0] for place in found.devices for part in place.split()}
    # Sharding may keep parameters in the host's memory between their uses.
    allowed = {device, "cpu"} if strategy in ("fsdp", "deepspeed") else {device}
    if not kinds <= allowed:
        differences.append(f"the model is on {', '.join(sorted(kinds))}, not on {device}")
    differences += _quantisation(spec, model)
    differences += _weights(spec, model)
    # Training all of a model may leave out what its authors froze; an adapter leaves out the model.
    whole = found.trainable_parameters == found.total_parameters
    if not found.trainable_parameters or (whole and spec.peft.method != "none"):
        differences.append(
            f"{found.trainable_parameters} of {found.total_parameters} parameters are trainable "
            f"with peft.method {spec.peft.method}"
        )
    if differences:
        raise TrainingError(
            "The run would not be what the spec says: " + "; ".join(differences) + ".",
            hint="Nothing was trained. The log says what the launcher did.",
        )


def _quantisation(spec: GradientSpec, model: torch.nn.Module) -> list[str]:
    kinds = {type(module).__name__ for module in model.modules()}
    return [
        f"model.{key} had no effect: no layer is quantised"
        for key, layer in (("load_in_4bit", "Linear4bit"), ("load_in_8bit", "Linear8bitLt"))
        if getattr(spec.model, key) and layer not in kinds
    ]


def _weights(spec: GradientSpec, model: torch.nn.Module) -> list[str]:
    asked = spec.model.dtype
    if asked == "auto" or spec.model.load_in_4bit or spec.model.load_in_8bit:
        return []
    counts: Counter[torch.dtype] = Counter()
    for parameter in model.parameters():
        if spec.peft.method == "none" or not parameter.requires_grad:
            counts[parameter.dtype] += parameter.numel()
    # Some models keep a few sensitive layers in another type.
    return [
        f"model.dtype is {str(most).removeprefix('torch.')}, not {asked}"
        for most, _ in counts.most_common(1)
        if most != _DTYPES[asked]
    ]


class PlacementCallback(TrainerCallback):
    """Proves where the run is, after everything is wrapped and before its first step."""

    def __init__(
        self, job: Job, trainer: RunTrainer, precision: str, device: str, meter: Meter | None
    ) -> None:
        self._job = job
        self._trainer = trainer
        self._precision = precision
        self._device = device
        self._meter = meter

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Measure, say, compare, try a step, and continue the counters of the checkpoint."""
        model = self._trainer.model
        found = measure(model, self._trainer.accelerator)
        self._job.reporter.emit(found)
        verify(self._job.spec, self._precision, self._device, found, model)
        probe(self._job, self._trainer, self._meter)
        self._trainer.restore_carry(self._job.resume_from)
        self._job.reporter.phase("training")
