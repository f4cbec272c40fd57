"""The sections of tasks that learn from preferences, labels or rewards."""

from __future__ import annotations

from pydantic import model_validator

from .adapter_section import PeftSection
from .data_section import DataSection
from .parameter import conflict, parameter
from .run_spec import GradientSpec
from .sections import TrainingSection
from .text_data import TextDataSection, TextEvaluationSection, TextSpec

PAIR_NOTES = (
    "Without a prompt column the prompt is what both answers begin with: the turns of a chat, or "
    "the text.",
    "AutoTrain's prompt, text and rejected_text are understood too.",
)
"""What a person should know about rows of pairs."""


class PromptDataSection(DataSection):
    """Rows with a prompt, as text or chat messages, and what the task learns from beside it."""

    column_mapping: dict[str, str] = parameter(
        {},
        "Which column plays which part, such as {prompt: question, chosen: better}; "
        "silent: guessed.",
        level="beginner",
    )
    prompt_template: str | None = parameter(
        None, "Prompt built from columns, such as 'Question: {question}'."
    )
    prompt_function: str | None = parameter(
        None, "Your own function, file.py:name, that turns a row into a prompt. It is run."
    )
    system_prompt: str | None = parameter(None, "System message put before every chat.")

    @model_validator(mode="after")
    def _one_prompt(self) -> PromptDataSection:
        if self.prompt_template and self.prompt_function:
            raise conflict(
                "data.prompt_function", "choose prompt_template or prompt_function, not both"
            )
        if self.prompt_function and ".py:" not in self.prompt_function:
            raise conflict("data.prompt_function", "is written file.py:name")
        return self


class PromptSpec(GradientSpec):
    """A run of a language model that learns from preferences, labels or rewards."""

    data: PromptDataSection = parameter(meaning="The rows.", level="beginner")
    peft: PeftSection = parameter(PeftSection(), "Which parameters are trained.")
    evaluation: TextEvaluationSection = parameter(TextEvaluationSection(), "How it is measured.")

    @model_validator(mode="after")
    def _losses_are_their_own(self) -> PromptSpec:
        if self.training.label_smoothing_factor:
            raise conflict(
                "training.label_smoothing_factor", f"has no effect on {self.task}; leave it out"
            )
        return self


def refuse_trained_prompts(spec: PromptSpec | TextSpec) -> None:
    """For losses that compare predictions place by place; a trained prompt would shift them.

    Raises:
        PydanticCustomError: the spec trains a prompt.
    """
    if spec.peft.method == "prompt-tuning":
        raise conflict("peft.method", f"prompt-tuning does not go with {spec.task}; choose lora")


ChatSpec = TextSpec | PromptSpec
"""A run whose model answers prompts."""

ChatDataSection = TextDataSection | PromptDataSection


class MovingReference(TrainingSection):
    """Whether the reference follows the model."""

    sync_ref_model: bool = parameter(
        False, "Move the reference towards the model now and then (full training).", group="loss"
    )
    ref_model_mixup_alpha: float = parameter(
        0.6, "Share of the model in the moved reference.", ge=0, le=1, group="loss"
    )
    ref_model_sync_steps: int = parameter(
        512, "Steps between such moves.", unit="steps", ge=1, group="loss"
    )


class PreferenceTraining(TrainingSection):
    """What the tasks share that compare answers to one prompt."""

    max_length: int = parameter(
        1024,
        "Longest prompt with its answer; what is longer is cut.",
        level="beginner",
        unit="tokens",
        ge=8,
        group="text",
    )
    max_prompt_length: int | None = parameter(
        None,
        "Longest prompt; of a longer one the end is kept.",
        unit="tokens",
        ge=1,
        group="text",
    )
    max_completion_length: int | None = parameter(
        None, "Longest answer; what is longer is cut.", unit="tokens", ge=1, group="text"
    )
    disable_dropout: bool = parameter(
        True,
        "Turn the model's and the adapter's dropout off, so that answers are compared fairly.",
        group="loss",
    )


class ReferenceTraining(MovingReference, PreferenceTraining):
    """What the tasks share that keep the model near a reference."""

    beta: float = parameter(
        0.1,
        "How strongly the model is held near its reference; higher holds it nearer.",
        level="beginner",
        ge=0,
        group="loss",
    )
    ref_model: str | None = parameter(
        None,
        "Folder or hub id of the reference. Silent: the model as it was, which an adapter gets "
        "by being turned off and full training by a second copy.",
        group="loss",
    )
    precompute_ref_log_probs: bool = parameter(
        False,
        "Ask the reference once before training instead of at every step, so that no second "
        "model is held.",
        group="memory",
    )
    precompute_ref_batch_size: int | None = parameter(
        None,
        "Rows asked at a time then; silent: as in training.",
        unit="rows",
        ge=1,
        group="memory",
    )


class ReferenceSpec(PromptSpec):
    """A run that keeps a model near a reference."""

    training: ReferenceTraining = parameter(ReferenceTraining(), "How it is trained.")

    @model_validator(mode="after")
    def _reference(self) -> ReferenceSpec:
        training = self.training
        if training.sync_ref_model and self.peft.method != "none":
            raise conflict(
                "training.sync_ref_model",
                "an adapter's reference is the model without it; set peft.method to none",
            )
        if training.sync_ref_model and self.launch.strategy in ("fsdp", "deepspeed"):
            raise conflict("training.sync_ref_model", "needs launch.strategy single or ddp")
        if training.sync_ref_model and training.precompute_ref_log_probs:
            raise conflict(
                "training.precompute_ref_log_probs", "needs a reference that does not move"
            )
        return self
