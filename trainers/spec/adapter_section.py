"""Which parameters are trained."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from .parameter import Section, conflict, parameter

PeftMethod = Literal["none", "lora", "dora", "ia3", "prompt-tuning"]


class AdapterSection(Section):
    """Which few parameters are trained beside the frozen base, under peft's names."""

    method: PeftMethod = parameter(
        "lora", "none trains every weight; lora trains small added matrices.", level="beginner"
    )
    r: int = parameter(16, "Rank of the LoRA matrices.", ge=1, level="beginner")
    lora_alpha: float = parameter(32, "LoRA scaling; the update is multiplied by alpha / r.", gt=0)
    lora_dropout: float = parameter(0.05, "Dropout before the LoRA matrices.", ge=0, lt=1)
    use_rslora: bool = parameter(False, "Scale by alpha / sqrt(r); steadier at high ranks.")
    target_modules: str | list[str] = parameter(
        "all-linear", "all-linear, or the names of the modules that get adapters."
    )
    exclude_modules: list[str] = parameter([], "Modules that get none.")
    modules_to_save: list[str] = parameter(
        [], "Modules trained whole and saved with the adapter, such as lm_head."
    )
    bias: Literal["none", "all", "lora_only"] = parameter("none", "Which biases are trained.")
    init_lora_weights: Literal["default", "gaussian", "pissa", "olora", "orthogonal"] = parameter(
        "default", "Start values of the LoRA matrices."
    )

    @model_validator(mode="after")
    def _rslora_is_lora(self) -> AdapterSection:
        if self.use_rslora and self.method not in ("lora", "dora"):
            raise conflict("peft.use_rslora", f"needs method lora or dora, not {self.method}")
        return self


class PeftSection(AdapterSection):
    """Which few parameters are trained beside the frozen base, under peft's names."""

    num_virtual_tokens: int = parameter(
        20, "Length of the trained prompt (prompt-tuning).", unit="tokens", ge=1
    )
    prompt_tuning_init_text: str | None = parameter(
        None, "Text the trained prompt starts from (prompt-tuning)."
    )


class WholeOrLoraSection(AdapterSection):
    """Every weight, or small added matrices beside the frozen ones, under peft's names."""

    method: Literal["none", "lora", "dora"] = parameter(
        "none", "none trains every weight; lora trains small added matrices.", level="beginner"
    )
