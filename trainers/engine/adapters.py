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

from ..registry import find_task
from ..spec import AdapterSection, GradientSpec, PeftSection

# peft trains these heads whole, but lets all-linear put matrices beside them too.
_HEADS = {
    TaskType.TOKEN_CLS: ("classifier", "score"),
    TaskType.QUESTION_ANS: ("qa_outputs",),
}


def adapter_config(spec: GradientSpec, heads: tuple[str, ...] = ()) -> PeftConfig | None:
    """What to wrap the model in, None for training all of it.

    Args:
        spec: the run's.
        heads: modules that begin at random and so are trained whole, where peft does not know
            them by the kind of task.
    """
    section = spec.peft
    if section.method == "none":
        return None
    name = find_task(spec.task).loading.peft_type
    kind = TaskType[name] if name else None
    if section.method == "ia3":
        return IA3Config(
            task_type=kind,
            revision=spec.model.revision,
            target_modules=section.target_modules,
            exclude_modules=section.exclude_modules or None,
            # peft knows the feed-forward modules of few models; scaling outputs fits all.
            feedforward_modules=[],
            modules_to_save=[*section.modules_to_save, *heads] or None,
        )
    if isinstance(section, PeftSection) and section.method == "prompt-tuning":
        return _prompt_tuning(spec, section, kind)
    return _lora(section, spec.model.revision, kind, heads)


def _lora(
    section: AdapterSection, revision: str | None, kind: TaskType | None, heads: tuple[str, ...]
) -> LoraConfig:
    initial: Any = section.init_lora_weights
    return LoraConfig(
        task_type=kind,
        revision=revision,
        r=section.r,
        lora_alpha=section.lora_alpha,
        lora_dropout=section.lora_dropout,
        use_rslora=section.use_rslora,
        use_dora=section.method == "dora",
        target_modules=section.target_modules,
        # A head that is trained whole gets no matrices beside it.
        exclude_modules=[*section.exclude_modules, *heads, *_HEADS.get(kind, ())] or None,
        modules_to_save=[*section.modules_to_save, *heads] or None,
        bias=section.bias,
        init_lora_weights=True if initial == "default" else initial,
    )


def _prompt_tuning(
    spec: GradientSpec, section: PeftSection, kind: TaskType | None
) -> PromptTuningConfig:
    text = section.prompt_tuning_init_text
    source = spec.model.tokenizer or spec.model.name_or_path
    return PromptTuningConfig(
        task_type=kind,
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
