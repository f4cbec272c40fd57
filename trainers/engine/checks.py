"""Settings that cannot work on this device or with what is installed. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from ..errors import Problem, SpecError
from ..registry import find_task
from ..spec import GradientSpec

_BITSANDBYTES_OPTIMIZERS = ("bnb", "8bit", "paged", "lion", "ademamix")


def refuse_impossible(spec: GradientSpec, device: str) -> None:
    """Look at everything that would fail later and less clearly.

    Raises:
        SpecError: with every problem found.
    """
    problems = [
        *_packages(spec),
        *_devices(spec, device),
        *_combinations(spec),
    ]
    if problems:
        raise SpecError(problems)


def _packages(spec: GradientSpec) -> Iterator[Problem]:
    for tracker in spec.training.report_to:
        # TensorBoard comes with torch's own writer or with tensorboardX.
        names = (tracker, "tensorboardX") if tracker == "tensorboard" else (tracker,)
        if not any(find_spec(name) for name in names):
            yield Problem(
                f"{tracker} is not installed here: pip install {tracker}", "training.report_to"
            )
    if not find_spec("bitsandbytes"):
        for key in ("load_in_4bit", "load_in_8bit"):
            if getattr(spec.model, key):
                yield Problem("needs the bitsandbytes package", f"model.{key}")
        if any(part in spec.training.optim for part in _BITSANDBYTES_OPTIMIZERS):
            yield Problem(f"{spec.training.optim} needs the bitsandbytes package", "training.optim")
    if spec.model.attn_implementation == "flash_attention_2" and not find_spec("flash_attn"):
        yield Problem(
            "flash_attention_2 needs the flash-attn package; sdpa needs nothing",
            "model.attn_implementation",
        )
    if spec.launch.strategy == "deepspeed" and not find_spec("deepspeed"):
        yield Problem("deepspeed is not installed here: pip install deepspeed", "launch.strategy")


def _devices(spec: GradientSpec, device: str) -> Iterator[Problem]:
    if device == "cpu":
        if spec.launch.precision == "fp16":
            yield Problem("fp16 needs a GPU; use bf16 or no", "launch.precision")
        if spec.training.tf32:
            yield Problem("needs an NVIDIA GPU of the Ampere generation or newer", "training.tf32")
        if spec.launch.ddp_backend in ("nccl", "qccl"):
            yield Problem("the CPU needs gloo", "launch.ddp_backend")
        if spec.model.attn_implementation == "flash_attention_2":
            yield Problem("flash_attention_2 needs a GPU", "model.attn_implementation")
    if device == "qaic":
        yield from _qaic(spec)


def _qaic(spec: GradientSpec) -> Iterator[Problem]:
    if spec.launch.precision == "bf16":
        yield Problem("QAIC cards have no bf16; use fp16 or no", "launch.precision")
    for key in ("load_in_4bit", "load_in_8bit"):
        if getattr(spec.model, key):
            yield Problem("bitsandbytes does not run on QAIC cards", f"model.{key}")
    if not find_spec("torch_qaic"):
        yield Problem(
            "the device is a QAIC card, but torch_qaic is not installed", "launch.devices"
        )


def _combinations(spec: GradientSpec) -> Iterator[Problem]:
    training = spec.training
    if not training.dataloader_num_workers:
        for key in ("dataloader_prefetch_factor", "dataloader_persistent_workers"):
            if getattr(training, key):
                yield Problem("needs training.dataloader_num_workers over 0", f"training.{key}")
    if training.lr_scheduler_type == "reduce_lr_on_plateau" and spec.evaluation.strategy == "no":
        yield Problem(
            "reduce_lr_on_plateau needs evaluation.strategy steps or epoch",
            "training.lr_scheduler_type",
        )
    if spec.evaluation.strategy != "no":
        yield from _best_metric(spec)
    if training.label_smoothing_factor and spec.data.row_weights:
        yield Problem(
            "rows with weights cannot be smoothed; set it to 0", "training.label_smoothing_factor"
        )
    if not training.torch_compile:
        for key in ("torch_compile_backend", "torch_compile_mode"):
            if getattr(training, key):
                yield Problem("needs training.torch_compile true", f"training.{key}")


def _best_metric(spec: GradientSpec) -> Iterator[Problem]:
    known = find_task(spec.task).metrics
    metric = spec.evaluation.metric_for_best_model
    if metric not in known and f"eval_{metric}" not in known:
        yield Problem(
            f"{metric!r} is not measured; choose {', '.join(known)}",
            "evaluation.metric_for_best_model",
        )
