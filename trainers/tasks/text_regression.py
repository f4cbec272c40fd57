"""text-regression: a number, or several, for each text or pair of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..figures import REGRESSION_METRICS
from ..outcomes import NUMBER_NOTES, PRINT_NUMBERS, TARGET
from ..registry import Column, Inputs, Loading, Task
from ..spec import WeightedColumnSpec, parameter
from ..spec.outcome_sections import NumberTrainingSection


class RegressionTraining(NumberTrainingSection):
    """How texts are cut and errors counted, beside the common settings."""

    max_length: int = parameter(
        128,
        "Longest text; what is longer is cut.",
        level="beginner",
        unit="tokens",
        ge=4,
        group="text",
    )


class TextRegressionSpec(WeightedColumnSpec):
    """A text regression run."""

    task: Literal["text-regression"] = parameter(
        "text-regression", "What is trained.", level="beginner"
    )
    training: RegressionTraining = parameter(RegressionTraining(), "How it is trained.")


TASK = Task(
    id="text-regression",
    family="text",
    title="Text regression",
    sentence="Teach a model to read numbers off texts, such as ratings or difficulty.",
    columns=(
        Column(
            "text",
            "text",
            "The room was spotless and quiet.",
            names=("text", "sentence", "sentence1", "review", "content", "comment"),
        ),
        Column(
            "text_pair",
            "text",
            "It was near the sea.",
            required=False,
            names=("text_pair", "sentence2"),
        ),
        TARGET,
    ),
    spec=TextRegressionSpec,
    metrics=REGRESSION_METRICS,
    default_model="distilbert/distilbert-base-uncased",
    sample=Path(__file__).parent.parent / "samples" / "text-regression",
    train="luthier.trainers.text.regression:train",
    notes=NUMBER_NOTES,
    rules="luthier.trainers.text.rows:RegressionRows",
    loading=Loading(
        "AutoModelForSequenceClassification",
        peft_type="SEQ_CLS",
        pipeline_tag="text-classification",
    ),
    usage=f"""
inputs = tokenizer($text, truncation=True, return_tensors="pt")
{PRINT_NUMBERS}""",
    predict="luthier.trainers.text.regression:NumberPredictor",
    inputs=Inputs(("text",), optional=("text_pair",)),
    tiny="luthier.trainers.tiny.text:encoder",
    sample_settings={"training.learning_rate": 0.002, "training.num_train_epochs": 8},
    aliases=("text_regression", "text_single_column_regression"),
)
