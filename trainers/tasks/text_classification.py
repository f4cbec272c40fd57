"""text-classification: texts, or pairs of texts, put into classes or given labels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..figures import CLASS_METRICS
from ..outcomes import LABEL, PRINT_CLASS
from ..registry import Column, Inputs, Loading, Task
from ..spec import WeightedColumnSpec, parameter
from ..spec.outcome_sections import ClassTrainingSection

SAMPLES = Path(__file__).parent.parent / "samples"


class ClassificationTraining(ClassTrainingSection):
    """How texts are cut and classes weighed, beside the common settings."""

    max_length: int = parameter(
        128,
        "Longest text; what is longer is cut.",
        level="beginner",
        unit="tokens",
        ge=4,
        group="text",
    )


class TextClassificationSpec(WeightedColumnSpec):
    """A text classification run."""

    task: Literal["text-classification"] = parameter(
        "text-classification", "What is trained.", level="beginner"
    )
    training: ClassificationTraining = parameter(ClassificationTraining(), "How it is trained.")


TASK = Task(
    id="text-classification",
    family="text",
    title="Text classification",
    sentence="Teach a model to sort texts into classes, or to put any number of labels on them.",
    columns=(
        Column(
            "text",
            "text",
            "The battery lasts two days.",
            names=("text", "sentence", "sentence1", "premise", "review", "content", "comment"),
        ),
        Column(
            "text_pair",
            "text",
            "It charges within an hour.",
            required=False,
            names=("text_pair", "sentence2", "hypothesis"),
        ),
        LABEL,
    ),
    spec=TextClassificationSpec,
    metrics=CLASS_METRICS,
    default_model="distilbert/distilbert-base-uncased",
    sample=SAMPLES / "text-classification",
    train="luthier.trainers.text.classification:train",
    notes=(
        "A list in the label column, or several label columns of 0 and 1, gives a row any number "
        "of labels.",
        "A second text column (text_pair) makes it a classification of pairs.",
    ),
    rules="luthier.trainers.text.rows:ClassificationRows",
    loading=Loading(
        "AutoModelForSequenceClassification",
        peft_type="SEQ_CLS",
        pipeline_tag="text-classification",
    ),
    usage=f"""
inputs = tokenizer($text, truncation=True, return_tensors="pt")
{PRINT_CLASS}""",
    predict="luthier.trainers.text.classification:ClassPredictor",
    inputs=Inputs(("text",), optional=("text_pair",)),
    tiny="luthier.trainers.tiny.text:encoder",
    sample_settings={"training.learning_rate": 0.002, "training.num_train_epochs": 8},
    aliases=(
        "text_classification",
        "text_binary_classification",
        "text_multi_class_classification",
    ),
)
