"""The peft section of a spec as peft's own configuration."""

from __future__ import annotations

from typing import Any

import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftConfig,
    PromptTuningConfig,
    PromptTuningInit,
    TaskType,
    get_peft_model,
)

from ..spec import GradientSpec, PeftSection


def adapter_config(spec: GradientSpec) -> PeftConfig | None:
    """What to wrap the model in, None for training all of it."""
    section = spec.peft
    if section.method == "none":
        return None
    if section.method == "ia3":
        return IA3Config(
            task_type=TaskType.CAUSAL_LM,
            revision=spec.model.revision,
            target_modules=section.target_modules,
            exclude_modules=section.exclude_modules or None,
            # peft knows the feed-forward modules of few models; scaling outputs fits all.
            feedforward_modules=[],
            modules_to_save=section.modules_to_save or None,
        )
    if section.method == "prompt-tuning":
        return _prompt_tuning(spec)
    return _lora(section, spec.model.revision)


def _lora(section: PeftSection, revision: str | None) -> LoraConfig:
    initial: Any = section.init_lora_weights
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        revision=revision,
        r=section.r,
        lora_alpha=section.lora_alpha,
        lora_dropout=section.lora_dropout,
        use_rslora=section.use_rslora,
        use_dora=section.method == "dora",
        target_modules=section.target_modules,
        exclude_modules=section.exclude_modules or None,
        modules_to_save=section.modules_to_save or None,
        bias=section.bias,
        init_lora_weights=True if initial == "default" else initial,
    )


def _prompt_tuning(spec: GradientSpec) -> PromptTuningConfig:
    section, text = spec.peft, spec.peft.prompt_tuning_init_text
    source = spec.model.tokenizer or spec.model.name_or_path
    return PromptTuningConfig(
        task_type=TaskType.CAUSAL_LM,
        revision=spec.model.revision,
        num_virtual_tokens=section.num_virtual_tokens,
        prompt_tuning_init=PromptTuningInit.TEXT if text else PromptTuningInit.RANDOM,
        prompt_tuning_init_text=text,
        tokenizer_name_or_path=source if text else None,
    )


def add_adapter(model: Any, config: PeftConfig | None, *, checkpointing: bool) -> Any:
    """Wrap a model the way SFTTrainer does, for trainers that do not."""
    if config is None:
        return model
    quantised = getattr(model, "is_loaded_in_4bit", False) or getattr(
        model, "is_loaded_in_8bit", False
    )
    wrapped = get_peft_model(model, config)
    if checkpointing:
        wrapped.enable_input_require_grads()
    if quantised:
        for name, parameter in wrapped.named_parameters():
            if parameter.requires_grad and "lora_magnitude_vector" not in name:
                parameter.data = parameter.data.to(torch.bfloat16)
    return wrapped
