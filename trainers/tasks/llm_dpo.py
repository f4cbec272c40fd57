"""llm-dpo: direct preference optimisation on pairs of a better and a worse answer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ..registry import Column, Task
from ..spec import conflict, parameter
from ..spec.preference_data import PAIR_NOTES, ReferenceSpec, ReferenceTraining

DPOLoss = Literal[
    "sigmoid",
    "sigmoid_norm",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
]
# The others have no generalisation to divergences but the reverse KL one.
_ANY_DIVERGENCE = {
    *("sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft"),
}


class DPOTraining(ReferenceTraining):
    """TRL's DPOConfig names beside the common ones."""

    learning_rate: float = parameter(
        1e-5,
        "Peak step size; about 1e-5 for LoRA, 1e-6 for full training.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    loss_type: list[DPOLoss] = parameter(
        ["sigmoid"],
        "The loss, or several that are added up; sigmoid is DPO as it was published.",
        level="beginner",
        group="loss",
        min_length=1,
    )
    loss_weights: list[float] = parameter(
        [], "Weight of each of several losses; silent: all 1.", group="loss"
    )
    label_smoothing: float = parameter(
        0.0,
        "Share of pairs taken to be the wrong way round (robust), or EXO's smoothing.",
        ge=0,
        lt=0.5,
        group="loss",
    )
    ld_alpha: float | None = parameter(
        None,
        "Weight of the tokens by which one answer is longer (LD-DPO); silent: as any other.",
        ge=0,
        le=1,
        group="loss",
    )
    f_divergence_type: Literal["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] = (
        parameter("reverse_kl", "How the distance to the reference is measured.", group="loss")
    )
    f_alpha_divergence_coef: float = parameter(0.5, "alpha_divergence's alpha.", group="loss")
    use_weighting: bool = parameter(
        False, "Weigh pairs by how likely the model finds them (WPO).", group="loss"
    )
    discopop_tau: float = parameter(0.05, "discopop's temperature.", gt=0, group="loss")


class DPOSpec(ReferenceSpec):
    """A run of direct preference optimisation."""

    task: Literal["llm-dpo"] = parameter("llm-dpo", "What is trained.", level="beginner")
    training: DPOTraining = parameter(DPOTraining(), "How it is trained.")

    @model_validator(mode="after")
    def _losses_fit(self) -> DPOSpec:
        training, losses = self.training, set(self.training.loss_type)
        if training.loss_weights and len(training.loss_weights) != len(training.loss_type):
            raise conflict(
                "training.loss_weights",
                f"has {len(training.loss_weights)} weights for {len(training.loss_type)} losses",
            )
        if "exo_pair" in losses and not training.label_smoothing:
            raise conflict(
                "training.label_smoothing", "must be above 0 for exo_pair; 1e-3 is usual"
            )
        if training.f_divergence_type != "reverse_kl" and losses - _ANY_DIVERGENCE:
            odd = ", ".join(sorted(losses - _ANY_DIVERGENCE))
            raise conflict("training.f_divergence_type", f"must be reverse_kl for {odd}")
        if training.use_weighting and losses & {"aot", "aot_unpaired"}:
            raise conflict("training.use_weighting", "does not go with aot or aot_unpaired")
        return self


TASK = Task(
    id="llm-dpo",
    family="preference",
    title="Preference optimisation (DPO)",
    sentence="Teach a language model to prefer the better of two answers.",
    columns=(
        Column("prompt", "text or chat messages", "How do I seat a sound post?", required=False),
        Column("chosen", "text or chat messages", "With a setter, under light string tension."),
        Column("rejected", "text or chat messages", "With glue."),
    ),
    spec=DPOSpec,
    metrics=(
        "eval_loss",
        "eval_rewards/accuracies",
        "eval_rewards/margins",
        "eval_rewards/chosen",
        "eval_rewards/rejected",
    ),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    sample=Path(__file__).parent.parent / "samples" / "llm-dpo",
    train="luthier.trainers.preference.dpo:train",
    chats=True,
    notes=PAIR_NOTES,
    aliases=("llm:dpo",),
    tiny="luthier.trainers.tiny.language:causal_model",
    sample_settings={"training.max_steps": 20, "training.max_length": 128},
)
