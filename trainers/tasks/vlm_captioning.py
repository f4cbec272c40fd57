"""vlm-captioning: a model that sees learns what to say about a picture."""

from __future__ import annotations

from typing import Literal

from ..registry import Column, Inputs, Task
from ..spec import WeightedDataSection, parameter
from ..vision_language.entry import (
    DEFAULT_MODEL,
    LOADING,
    PICTURE,
    SAMPLE_SETTINGS,
    SAMPLES,
    TINY,
    usage,
)
from ..vision_language.settings import PictureSpec


class CaptionData(WeightedDataSection):
    """Where the rows come from, and what is asked of every picture."""

    instruction: str = parameter(
        "Describe the picture.",
        "What the model is told with every picture, in training and in predictions.",
        level="beginner",
        min_length=1,
    )


class CaptioningSpec(PictureSpec):
    """A captioning run."""

    task: Literal["vlm-captioning"] = parameter(
        "vlm-captioning", "What is trained.", level="beginner"
    )
    data: CaptionData = parameter(meaning="The rows.", level="beginner")


TASK = Task(
    id="vlm-captioning",
    family="vision-language",
    title="Picture captions",
    sentence="Teach a model that sees to say of a picture what your captions say.",
    columns=(
        PICTURE,
        Column(
            "caption",
            "text",
            "A small boat at sea.",
            names=("caption", "text", "description", "label", "target", "sentence"),
        ),
    ),
    spec=CaptioningSpec,
    metrics=(
        "eval_rougeL",
        "eval_loss",
        "eval_token_accuracy",
        "eval_chrf",
        "eval_bleu",
        "eval_rouge1",
        "eval_rouge2",
        "eval_rougeLsum",
        "eval_exact_match",
    ),
    default_model=DEFAULT_MODEL,
    sample=SAMPLES / "vlm-captioning",
    train="luthier.trainers.vision_language.captioning:train",
    notes=(
        "ROUGE, BLEU, chrF, exact_match and token_accuracy are in percent.",
        "data.instruction is what the model is told with every picture.",
    ),
    rules="luthier.trainers.vision_language.rows:CaptionRows",
    loading=LOADING,
    usage=usage("instruction"),
    predict="luthier.trainers.vision_language.captioning:CaptionPredictor",
    inputs=Inputs(("image",), kind="image"),
    tiny=TINY,
    sample_settings=SAMPLE_SETTINGS,
    aliases=("vlm:captioning",),
)
