"""llm-kto: learning from answers that are each marked good or bad."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..registry import Column, Task
from ..spec import parameter
from ..spec.preference_data import ReferenceSpec, ReferenceTraining


class KTOTraining(ReferenceTraining):
    """TRL's KTOConfig names beside the common ones."""

    learning_rate: float = parameter(
        1e-5,
        "Peak step size; about 1e-5 for LoRA, 1e-6 for full training.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    loss_type: Literal["kto", "apo_zero_unpaired"] = parameter(
        "kto", "The loss; apo_zero_unpaired needs no estimate of the KL divergence.", group="loss"
    )
    desirable_weight: float = parameter(
        1.0, "Weight of good answers; raise it where they are few.", ge=0, group="loss"
    )
    undesirable_weight: float = parameter(
        1.0, "Weight of bad answers; raise it where they are few.", ge=0, group="loss"
    )


class KTOSpec(ReferenceSpec):
    """A run of Kahneman-Tversky optimisation."""

    task: Literal["llm-kto"] = parameter("llm-kto", "What is trained.", level="beginner")
    training: KTOTraining = parameter(KTOTraining(), "How it is trained.")


TASK = Task(
    id="llm-kto",
    family="preference",
    title="Learning from thumbs up and down (KTO)",
    sentence="Teach a language model from single answers that are each marked good or bad.",
    columns=(
        Column("prompt", "text or chat messages", "How do I seat a sound post?"),
        Column("completion", "text or chat messages", "With glue."),
        Column("label", "true or false", False),
    ),
    spec=KTOSpec,
    metrics=(
        "eval_loss",
        "eval_rewards/margins",
        "eval_rewards/chosen",
        "eval_rewards/rejected",
        "eval_kl",
    ),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    sample=Path(__file__).parent.parent / "samples" / "llm-kto",
    train="luthier.trainers.preference.kto:train",
    chats=True,
    notes=("Rows may also be pairs of chosen and rejected; each is then a good and a bad answer.",),
    tiny="luthier.trainers.tiny.language:causal_model",
    sample_settings={"training.max_steps": 20, "training.max_length": 128},
)
