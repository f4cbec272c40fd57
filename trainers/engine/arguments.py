"""Spec settings as transformers.TrainingArguments: one table, so that none is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..spec import GradientSpec, LaunchSection

SAME_NAME = (
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "learning_rate",
    "optim",
    "optim_args",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "weight_decay",
    "max_grad_norm",
    "lr_scheduler_type",
    "warmup_steps",
    "seed",
    "full_determinism",
    "torch_empty_cache_steps",
    "torch_compile",
    "torch_compile_backend",
    "torch_compile_mode",
    "tf32",
    "neftune_noise_alpha",
    "label_smoothing_factor",
    "train_sampling_strategy",
    "dataloader_num_workers",
    "dataloader_prefetch_factor",
    "dataloader_pin_memory",
    "dataloader_persistent_workers",
    "dataloader_drop_last",
    "logging_strategy",
    "logging_steps",
    "logging_first_step",
    "average_tokens_across_devices",
    "log_level",
    "log_on_each_node",
    "report_to",
    "disable_tqdm",
    "save_strategy",
    "save_steps",
    "save_total_limit",
    "restore_callback_states_from_checkpoint",
)
_EVALUATION = {
    "strategy": "eval_strategy",
    "steps": "eval_steps",
    "per_device_eval_batch_size": "per_device_eval_batch_size",
    "load_best_model_at_end": "load_best_model_at_end",
    "metric_for_best_model": "metric_for_best_model",
    "greater_is_better": "greater_is_better",
}
_LAUNCH = (
    "ddp_find_unused_parameters",
    "ddp_bucket_cap_mb",
    "ddp_broadcast_buffers",
    "ddp_timeout",
)


def training_arguments(
    spec: GradientSpec, *, output: Path, precision: str, device: str
) -> dict[str, Any]:
    """Keyword arguments for TrainingArguments and the classes made from it.

    Args:
        spec: the run.
        output: the folder for checkpoints.
        precision: no, fp16 or bf16.
        device: cpu, cuda or qaic.
    """
    training, evaluation, launch = spec.training, spec.evaluation, spec.launch
    arguments = {name: getattr(training, name) for name in SAME_NAME}
    arguments |= {theirs: getattr(evaluation, ours) for ours, theirs in _EVALUATION.items()}
    arguments |= {name: getattr(launch, name) for name in _LAUNCH}
    arguments |= {
        "output_dir": str(output),
        "use_cpu": device == "cpu",
        "fp16": precision == "fp16",
        "bf16": precision == "bf16",
        "ddp_backend": _backend(launch, device),
        # Said outright: left open, the seed of the row order depends on what drew numbers before.
        "data_seed": training.seed if training.data_seed is None else training.data_seed,
        "accelerator_config": launch.accelerator_config or None,
        "lr_scheduler_kwargs": training.lr_scheduler_kwargs or None,
        "activation_checkpointing": training.gradient_checkpointing,
        "activation_checkpointing_kwargs": training.gradient_checkpointing_kwargs,
        "use_cache": spec.model.use_cache,
        # A loss that is not a number has to be seen, not averaged away.
        "logging_nan_inf_filter": False,
        "include_num_input_tokens_seen": "no",
        "run_name": spec.name or None,
    }
    return arguments


def _backend(launch: LaunchSection, device: str) -> str | None:
    # With a backend named, the libraries expect a process group even for one process.
    if launch.processes == 1:
        return None
    return launch.ddp_backend or {"cpu": "gloo", "qaic": "qccl"}.get(device)
