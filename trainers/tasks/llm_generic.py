"""llm-generic: next-token training of a language model on plain text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..registry import Column, Task
from ..spec import TextSpec, TrainingSection, parameter


class GenericTraining(TrainingSection):
    """How plain text becomes blocks."""

    block_size: int = parameter(
        1024,
        "Length of the blocks that the joined text is cut into.",
        level="beginner",
        unit="tokens",
        ge=8,
        group="text",
    )
    add_eos_token: bool = parameter(True, "Put an end token after every row.", group="text")


class GenericSpec(TextSpec):
    """A next-token training run."""

    task: Literal["llm-generic"] = parameter("llm-generic", "What is trained.", level="beginner")
    training: GenericTraining = parameter(GenericTraining(), "How it is trained.")


TASK = Task(
    id="llm-generic",
    family="language model",
    title="Plain-text training",
    sentence="Go on with a language model's own training on texts of your field.",
    columns=(Column("text", "text", "The top of a violin is spruce."),),
    spec=GenericSpec,
    metrics=("eval_loss", "eval_perplexity", "eval_mean_token_accuracy"),
    default_model="HuggingFaceTB/SmolLM2-135M",
    sample=Path(__file__).parent.parent / "samples" / "llm-generic",
    train="luthier.trainers.language.generic:train",
    chats=True,
    tiny="luthier.trainers.tiny.language:causal_model",
    sample_settings={"training.max_steps": 20, "training.block_size": 128},
    aliases=("llm:generic", "llm"),
)
