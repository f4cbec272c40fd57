"""llm-sft: supervised fine-tuning of a language model on prompts with answers, or chats."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ..registry import Column, Task
from ..spec import TextSpec, TrainingSection, conflict, parameter


class SupervisedTraining(TrainingSection):
    """TRL's SFTConfig names beside the common ones."""

    learning_rate: float = parameter(
        2e-4,
        "Peak step size; 1e-4 to 3e-4 for LoRA, about 2e-5 for full fine-tuning.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    max_length: int = parameter(
        1024,
        "Longest row; what is longer is cut.",
        level="beginner",
        unit="tokens",
        ge=8,
        group="text",
    )
    packing: bool = parameter(
        False, "Put several short rows into one sequence; faster when rows are short.", group="text"
    )
    packing_strategy: Literal["bfd", "wrapped"] = parameter(
        "bfd", "bfd keeps rows apart; wrapped cuts one long stream into blocks.", group="text"
    )
    completion_only_loss: bool | None = parameter(
        None, "Learn from the completion only; silent: yes when rows have a prompt.", group="text"
    )
    assistant_only_loss: bool = parameter(
        False, "Learn from the assistant's turns only (chats).", group="text"
    )


class SupervisedSpec(TextSpec):
    """A supervised fine-tuning run."""

    task: Literal["llm-sft"] = parameter("llm-sft", "What is trained.", level="beginner")
    training: SupervisedTraining = parameter(SupervisedTraining(), "How it is trained.")

    @model_validator(mode="after")
    def _weights_are_per_row(self) -> SupervisedSpec:
        if self.data.weight_column and self.training.packing:
            raise conflict("training.packing", "packed rows cannot have weights; turn packing off")
        return self


TASK = Task(
    id="llm-sft",
    family="language model",
    title="Supervised fine-tuning",
    sentence="Teach a language model to answer the way your examples do.",
    columns=(
        Column("prompt", "text or chat messages", "Translate to French: good morning"),
        Column("completion", "text or chat messages", "bonjour"),
    ),
    spec=SupervisedSpec,
    metrics=("eval_loss", "eval_perplexity", "eval_mean_token_accuracy"),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    sample=Path(__file__).parent.parent / "samples" / "llm-sft",
    train="luthier.trainers.language.supervised:train",
    chats=True,
    notes=(
        "Rows may also be text, messages (OpenAI), conversations (ShareGPT) or Alpaca's columns.",
    ),
    tiny="luthier.trainers.tiny.language:causal_model",
    sample_settings={"training.max_steps": 20, "training.max_length": 128},
    aliases=("llm:sft",),
)
