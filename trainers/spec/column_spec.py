"""Specs of tasks that read columns and train a model of transformers by gradient."""

from __future__ import annotations

from pydantic import model_validator

from .adapter_section import WholeOrLoraSection
from .data_section import DataSection, WeightedDataSection
from .image_sections import ImageTrainingSection
from .parameter import conflict, parameter
from .run_spec import GradientSpec


class ColumnSpec(GradientSpec):
    """A run on rows with columns."""

    data: DataSection = parameter(meaning="The rows.", level="beginner")
    peft: WholeOrLoraSection = parameter(WholeOrLoraSection(), "Which parameters are trained.")

    @model_validator(mode="after")
    def _nothing_chats(self) -> ColumnSpec:
        if self.model.chat_template is not None:
            raise conflict("model.chat_template", f"{self.task} has no chats; leave it out")
        if self.model.use_cache:
            raise conflict("model.use_cache", f"{self.task} does not train on generated text")
        for key in ("load_in_4bit", "load_in_8bit"):
            if getattr(self.model, key) and isinstance(self.training, ImageTrainingSection):
                text = "the head of a model of pictures cannot be quantised; leave it out"
                raise conflict(f"model.{key}", text)
        return self


class WeightedColumnSpec(ColumnSpec):
    """The same where rows may have weights."""

    data: WeightedDataSection = parameter(meaning="The rows.", level="beginner")
