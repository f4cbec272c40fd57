"""llm-orpo: odds ratio preference optimisation, which needs no reference model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ..registry import Column, Task
from ..spec import parameter
from ..spec.preference_data import (
    PAIR_NOTES,
    PreferenceTraining,
    PromptSpec,
    refuse_trained_prompts,
)


class ORPOTraining(PreferenceTraining):
    """TRL's ORPOConfig names beside the common ones."""

    learning_rate: float = parameter(
        1e-5,
        "Peak step size; about 1e-5 for LoRA, 5e-6 for full training.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    beta: float = parameter(
        0.1,
        "Weight of the odds ratio beside plain learning of the better answer.",
        level="beginner",
        ge=0,
        group="loss",
    )


class ORPOSpec(PromptSpec):
    """A run of odds ratio preference optimisation."""

    task: Literal["llm-orpo"] = parameter("llm-orpo", "What is trained.", level="beginner")
    training: ORPOTraining = parameter(ORPOTraining(), "How it is trained.")

    @model_validator(mode="after")
    def _no_trained_prompt(self) -> ORPOSpec:
        refuse_trained_prompts(self)
        return self


TASK = Task(
    id="llm-orpo",
    family="preference",
    title="Preference optimisation in one step (ORPO)",
    sentence="Teach answers and preferences to a language model at once, without a reference.",
    columns=(
        Column("prompt", "text or chat messages", "How do I seat a sound post?", required=False),
        Column("chosen", "text or chat messages", "With a setter, under light string tension."),
        Column("rejected", "text or chat messages", "With glue."),
    ),
    spec=ORPOSpec,
    metrics=(
        "eval_loss",
        "eval_rewards/accuracies",
        "eval_rewards/margins",
        "eval_nll_loss",
        "eval_log_odds_ratio",
    ),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    sample=Path(__file__).parent.parent / "samples" / "llm-orpo",
    train="luthier.trainers.preference.orpo:train",
    chats=True,
    notes=PAIR_NOTES,
    aliases=("llm:orpo",),
    tiny="luthier.trainers.tiny.language:causal_model",
    sample_settings={"training.max_steps": 20, "training.max_length": 128},
)
