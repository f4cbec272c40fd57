"""llm-distill: a small model learns the whole distribution of a larger one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ..registry import Column, Task
from ..spec import TextSpec, TrainingSection, conflict, parameter
from ..spec.preference_data import refuse_trained_prompts


class DistillTraining(TrainingSection):
    """TRL's GKDConfig names beside the common ones."""

    learning_rate: float = parameter(
        1e-4,
        "Peak step size; about 1e-4 for LoRA, 2e-5 for full training.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    teacher_model_name_or_path: str = parameter(
        meaning="The model to learn from: a local folder or a hub id, with the same vocabulary.",
        level="beginner",
        example="HuggingFaceTB/SmolLM2-360M-Instruct",
        min_length=1,
        group="teacher",
    )
    teacher_model_revision: str | None = parameter(
        None, "Branch, tag or commit of a hub teacher.", group="teacher"
    )
    teacher_dtype: Literal["auto", "float32", "float16", "bfloat16"] = parameter(
        "auto", "Number type of the teacher's weights.", group="teacher"
    )
    lmbda: float = parameter(
        0.5,
        "Share of steps on what the student itself writes: 0 learns from the answers of the "
        "files, 1 needs no answers.",
        level="beginner",
        ge=0,
        le=1,
        group="teacher",
    )
    seq_kd: bool = parameter(
        False,
        "Learn from answers that the teacher writes in place of those of the files.",
        group="teacher",
    )
    beta: float = parameter(
        0.5,
        "0 covers all the teacher does (forward KL), 1 keeps to what it does most (reverse KL).",
        level="beginner",
        ge=0,
        le=1,
        group="loss",
    )
    temperature: float = parameter(0.9, "How freely answers are drawn.", gt=0, group="generation")
    max_new_tokens: int = parameter(
        128, "Longest answer that is drawn.", unit="tokens", ge=1, group="generation"
    )
    max_length: int = parameter(
        1024,
        "Longest row; what is longer is cut.",
        level="beginner",
        unit="tokens",
        ge=8,
        group="text",
    )
    disable_dropout: bool = parameter(True, "Turn the model's dropout off.", group="loss")


class DistillSpec(TextSpec):
    """A run that distils a teacher into a student."""

    task: Literal["llm-distill"] = parameter("llm-distill", "What is trained.", level="beginner")
    training: DistillTraining = parameter(meaning="How it is trained.", level="beginner")

    @model_validator(mode="after")
    def _fits(self) -> DistillSpec:
        refuse_trained_prompts(self)
        if self.data.weight_column:
            raise conflict("data.weight_column", "has no effect on llm-distill; leave it out")
        if self.data.format == "text":
            raise conflict("data.format", "llm-distill needs prompts; text has none")
        if self.training.label_smoothing_factor:
            raise conflict(
                "training.label_smoothing_factor", "has no effect on llm-distill; leave it out"
            )
        return self


TASK = Task(
    id="llm-distill",
    family="preference",
    title="Distillation",
    sentence="Let a small language model learn from a larger one, word by word.",
    columns=(
        Column("prompt", "text or chat messages", "How many strings has a cello?"),
        Column("completion", "text or chat messages", "Four.", required=False),
    ),
    spec=DistillSpec,
    metrics=("eval_loss",),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    sample=Path(__file__).parent.parent / "samples" / "llm-distill",
    train="luthier.trainers.preference.distill:train",
    chats=True,
    notes=("Rows may also be messages (OpenAI), conversations (ShareGPT) or Alpaca's columns.",),
    tiny="luthier.trainers.tiny.language:student_and_teacher",
    sample_settings={
        "training.max_steps": 20,
        "training.max_length": 128,
        "training.max_new_tokens": 12,
        "training.teacher_model_name_or_path": "{model}/teacher",
    },
)
