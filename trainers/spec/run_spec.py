"""RunSpec: everything that decides one run."""

from __future__ import annotations

from pydantic import model_validator

from .adapter_section import AdapterSection
from .data_section import DataSection
from .parameter import Section, conflict, parameter
from .sections import (
    EvaluationSection,
    LaunchSection,
    ModelSection,
    OutputSection,
    TrainingSection,
)


class RunSpec(Section):
    """One run's full settings. Each task narrows the sections to what it takes."""

    task: str = parameter(meaning="What is trained, such as llm-sft.", level="beginner")
    name: str = parameter(
        "",
        "A name to recognise the run by; silent: made from the model and data.",
        level="beginner",
        max_length=100,
    )
    data: DataSection = parameter(meaning="The rows.", level="beginner")
    launch: LaunchSection = parameter(LaunchSection(), "Where and on what the run executes.")
    output: OutputSection = parameter(OutputSection(), "What is kept at the end.")

    @property
    def seed(self) -> int:
        """The seed of the run's random choices."""
        return self.data.split_seed

    @property
    def starts_from(self) -> str:
        """The model that is trained on, or the kinds of model that are tried."""
        return ""


class GradientSpec(RunSpec):
    """A run that trains a pretrained model by gradient descent."""

    model: ModelSection = parameter(meaning="The base model.", level="beginner")
    training: TrainingSection = parameter(TrainingSection(), "How it is trained.")
    peft: AdapterSection = parameter(AdapterSection(), "Which parameters are trained.")
    evaluation: EvaluationSection = parameter(EvaluationSection(), "How it is measured.")

    @property
    def seed(self) -> int:
        return self.training.seed

    @property
    def starts_from(self) -> str:
        return self.model.name_or_path

    @model_validator(mode="after")
    def _combinations(self) -> GradientSpec:
        quantised = self.model.load_in_4bit or self.model.load_in_8bit
        if quantised and self.peft.method == "none":
            key = "model.load_in_4bit" if self.model.load_in_4bit else "model.load_in_8bit"
            raise conflict(
                key, "a quantised model cannot be trained whole; set peft.method to lora"
            )
        if self.output.merge_adapter and self.peft.method in ("none", "prompt-tuning"):
            raise conflict(
                "output.merge_adapter", f"nothing to merge with peft.method {self.peft.method}"
            )
        if self.model.device_map == "auto" and self.launch.processes > 1:
            raise conflict("model.device_map", "auto needs launch.processes 1")
        if self.output.push_to_hub and self.launch.offline:
            raise conflict("output.push_to_hub", "cannot upload with launch.offline true")
        if self.evaluation.load_best_model_at_end:
            self._best_model_needs_matching_saves()
        return self

    def _best_model_needs_matching_saves(self) -> None:
        training, evaluation = self.training, self.evaluation
        if training.save_strategy != evaluation.strategy:
            raise conflict(
                "training.save_strategy",
                f"must be {evaluation.strategy} like evaluation.strategy "
                "when load_best_model_at_end is true",
            )
        if evaluation.strategy == "steps" and training.save_steps % evaluation.steps:
            raise conflict(
                "training.save_steps",
                f"must be a multiple of evaluation.steps ({evaluation.steps}) "
                "when load_best_model_at_end is true",
            )
