"""llm-grpo: reinforcement learning on rewards for what the model itself writes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ..registry import Column, Task
from ..spec import conflict, parameter
from ..spec.preference_data import MovingReference, PromptSpec
from ..spec.reward_section import RewardSection

_USUAL_GROUP = 8


class GRPOTraining(MovingReference):
    """TRL's GRPOConfig names beside the common ones."""

    learning_rate: float = parameter(
        1e-5,
        "Peak step size; about 1e-5 for LoRA, 1e-6 for full training.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    num_generations: int | None = parameter(
        None,
        "Answers written for each prompt and compared with each other. The rows of a step (batch "
        "times accumulation) are answers. Silent: 8, or the next lower number that divides them.",
        level="beginner",
        unit="answers",
        ge=2,
        group="generation",
    )
    num_generations_eval: int | None = parameter(
        None,
        "The same when measuring; silent: as in training, or the next lower number that divides "
        "the rows of a forward pass.",
        unit="answers",
        ge=1,
        group="generation",
    )
    max_completion_length: int = parameter(
        256, "Longest answer.", level="beginner", unit="tokens", ge=1, group="generation"
    )
    max_prompt_length: int | None = parameter(
        None,
        "Longest prompt; rows with a longer one are left out.",
        unit="tokens",
        ge=1,
        group="generation",
    )
    temperature: float = parameter(
        1.0, "How freely answers are drawn.", gt=0, group="generation", level="beginner"
    )
    top_p: float = parameter(
        1.0, "Draw from the likeliest tokens of this share.", gt=0, le=1, group="generation"
    )
    top_k: int = parameter(
        0, "Draw from so many tokens; 0 from all.", ge=0, unit="tokens", group="generation"
    )
    min_p: float | None = parameter(
        None,
        "Leave out tokens less likely than this share of the likeliest.",
        ge=0,
        le=1,
        group="generation",
    )
    repetition_penalty: float = parameter(
        1.0, "Above 1 what was said before is less likely.", gt=0, group="generation"
    )
    generation_batch_size: int | None = parameter(
        None,
        "Answers written at a time, in all processes; silent: those of one step.",
        unit="answers",
        ge=1,
        group="generation",
    )
    num_iterations: int = parameter(
        1, "Steps taken on the same answers (mu of the paper).", ge=1, group="loss"
    )
    beta: float = parameter(
        0.0,
        "How strongly the model is held near where it started; 0 does without, as is usual now.",
        level="beginner",
        ge=0,
        group="loss",
    )
    epsilon: float = parameter(0.2, "How far one step may move a probability.", gt=0, group="loss")
    epsilon_high: float | None = parameter(
        None, "The same upwards; silent: epsilon. 0.28 is DAPO's.", gt=0, group="loss"
    )
    delta: float | None = parameter(
        None, "Upper bound of the ratio on the other side (two-sided GRPO).", gt=0, group="loss"
    )
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo"] = (
        parameter("dapo", "How the losses of tokens are averaged.", group="loss")
    )
    scale_rewards: Literal["group", "batch", "none"] = parameter(
        "group",
        "What rewards are divided by: the spread in their group, batch, or nothing.",
        group="loss",
    )
    importance_sampling_level: Literal["token", "sequence"] = parameter(
        "token", "sequence is GSPO.", group="loss"
    )
    mask_truncated_completions: bool = parameter(
        False, "Learn nothing from answers that were cut.", group="loss"
    )
    top_entropy_quantile: float = parameter(
        1.0, "Learn only from this share of the least certain tokens.", gt=0, le=1, group="loss"
    )
    disable_dropout: bool = parameter(False, "Turn the model's dropout off.", group="loss")


class GRPOSpec(PromptSpec):
    """A run of group relative policy optimisation."""

    task: Literal["llm-grpo"] = parameter("llm-grpo", "What is trained.", level="beginner")
    training: GRPOTraining = parameter(GRPOTraining(), "How it is trained.")
    rewards: RewardSection = parameter(
        RewardSection(), "What an answer is rewarded for.", level="beginner"
    )

    @property
    def written(self) -> int:
        """How many answers are written at a time, in all processes."""
        training = self.training
        step = training.per_device_train_batch_size * training.gradient_accumulation_steps
        return training.generation_batch_size or step * self.launch.processes

    @property
    def group(self) -> int:
        """How many answers each prompt gets in training."""
        return self.training.num_generations or _divisor(self.written, _USUAL_GROUP)

    @property
    def measured_group(self) -> int:
        """How many answers each prompt gets in an evaluation."""
        rows = self.evaluation.per_device_eval_batch_size * self.launch.processes
        return self.training.num_generations_eval or _divisor(rows, self.group)

    @model_validator(mode="after")
    def _whole_groups(self) -> GRPOSpec:
        training, processes = self.training, self.launch.processes
        step = training.per_device_train_batch_size * training.gradient_accumulation_steps
        if self.written % (step * processes):
            raise conflict(
                "training.generation_batch_size",
                f"{self.written} must be a multiple of the {step * processes} rows of a step",
            )
        if self.group < 2 or self.written % self.group:
            raise conflict(
                "training.num_generations",
                f"the answers written at a time ({self.written}) must be a multiple of it, and at "
                "least two for a prompt; change it, the batch or the accumulation",
            )
        rows = self.evaluation.per_device_eval_batch_size * processes
        if self.evaluation.strategy != "no" and rows % self.measured_group:
            raise conflict(
                "training.num_generations_eval",
                f"the {rows} rows of evaluation.per_device_eval_batch_size must be a multiple of "
                "it",
            )
        return self

    @model_validator(mode="after")
    def _moving_reference(self) -> GRPOSpec:
        if self.training.sync_ref_model and (self.peft.method != "none" or not self.training.beta):
            raise conflict(
                "training.sync_ref_model", "needs peft.method none and training.beta above 0"
            )
        if self.training.sync_ref_model and self.launch.strategy in ("fsdp", "deepspeed"):
            raise conflict("training.sync_ref_model", "needs launch.strategy single or ddp")
        return self


def _divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is not above ``most``."""
    return next(divisor for divisor in range(min(number, most), 0, -1) if number % divisor == 0)


TASK = Task(
    id="llm-grpo",
    family="preference",
    title="Reinforcement learning (GRPO)",
    sentence="Let a language model try answers and strengthen those that earn more reward.",
    columns=(
        Column("prompt", "text or chat messages", "How many strings has a cello?"),
        Column("answer", "anything the rewards look at", "4", required=False),
    ),
    spec=GRPOSpec,
    metrics=("eval_reward", "eval_loss", "eval_reward_std", "eval_completions/mean_length"),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    sample=Path(__file__).parent.parent / "samples" / "llm-grpo",
    train="luthier.trainers.preference.grpo:train",
    chats=True,
    notes=("Every further column is given to the reward functions by its name.",),
    tiny="luthier.trainers.tiny.language:causal_model",
    sample_settings={
        "training.max_steps": 10,
        "training.max_completion_length": 12,
        "rewards.functions": ["exact_match", "length"],
        "rewards.length_target": 2,
    },
)
