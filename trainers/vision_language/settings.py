"""The sections of a spec that the vision-language tasks share. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ..spec import (
    GradientSpec,
    TrainingSection,
    WeightedDataSection,
    WholeOrLoraSection,
    conflict,
    parameter,
    with_default,
)
from ..tasks.seq2seq import Seq2SeqEvaluation

Part = Literal["language", "projector", "vision"]


class PictureTraining(TrainingSection):
    """How pictures and words are trained on, beside the common settings."""

    learning_rate: float = parameter(
        1e-4,
        "Peak step size; 1e-4 to 2e-4 for LoRA, about 1e-5 for training whole parts.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    per_device_train_batch_size: int = with_default(
        TrainingSection, "per_device_train_batch_size", 2
    )
    gradient_accumulation_steps: int = with_default(
        TrainingSection, "gradient_accumulation_steps", 4
    )
    max_length: int = parameter(
        2048,
        "Longest row, the tokens of its pictures counted; of a longer one the end of the answer "
        "is cut.",
        level="beginner",
        unit="tokens",
        ge=8,
        group="text",
    )


class PicturePeft(WholeOrLoraSection):
    """Which parts of the model are trained, and whether whole or by small added matrices."""

    method: Literal["none", "lora", "dora"] = parameter(
        "lora",
        "none trains every weight of the chosen parts; lora trains small added matrices.",
        level="beginner",
    )
    parts: list[Part] = parameter(
        ["language"],
        "Parts that are trained, the others stay as they are. language learns what to say and is "
        "enough for most data; projector (between the two) and vision help with kinds of pictures "
        "that the model has never seen, such as X-rays.",
        level="beginner",
        min_length=1,
    )

    @model_validator(mode="after")
    def _each_part_once(self) -> PicturePeft:
        if len(set(self.parts)) != len(self.parts):
            raise conflict("peft.parts", "names a part twice")
        return self


class PictureEvaluation(Seq2SeqEvaluation):
    """Loss, and scores of the texts that the model writes for the validation rows."""

    max_new_tokens: int = parameter(
        64,
        "Longest text that is written, at evaluations and in predictions.",
        level="beginner",
        unit="tokens",
        ge=1,
    )


class PictureSpec(GradientSpec):
    """A run on pictures with words."""

    data: WeightedDataSection = parameter(meaning="The rows.", level="beginner")
    training: PictureTraining = parameter(PictureTraining(), "How it is trained.")
    peft: PicturePeft = parameter(PicturePeft(), "Which parameters are trained.")
    evaluation: PictureEvaluation = parameter(PictureEvaluation(), "How it is measured.")

    @model_validator(mode="after")
    def _fits_pictures(self) -> PictureSpec:
        if self.model.use_cache:
            raise conflict("model.use_cache", f"{self.task} does not train on generated text")
        template = self.model.chat_template
        if template in ("chatml", "zephyr"):
            text = f"{template} knows no pictures; name a .jinja file, or leave it out"
            raise conflict("model.chat_template", text)
        return self
