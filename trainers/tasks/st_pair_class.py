"""st-pair-class: vectors from which the relation of two texts can be told."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from ..figures import CLASS_METRICS
from ..registry import Column, Inputs, Task
from ..sentence.entry import (
    DEFAULT_MODEL,
    LOADING,
    SAMPLE_SETTINGS,
    SAMPLES,
    TINY,
    two_sentences,
    usage,
)
from ..sentence.settings import SentenceTraining, WeightedSentenceSpec
from ..spec import conflict, parameter


class PairClassTraining(SentenceTraining):
    """How classes are learnt, beside the common settings."""

    loss: Literal["softmax", "contrastive", "online-contrastive"] = parameter(
        "softmax",
        "softmax learns any classes, with a small layer that is kept beside the model; the "
        "contrastive ones draw the pairs of one class together and push all others apart, "
        "online-contrastive by the hardest pairs of a batch.",
        group="loss",
    )
    class_weights: Literal["none", "balanced"] | dict[str, float] = parameter(
        "none",
        "balanced lets rare classes count as much as common ones; or a weight for each class "
        "(softmax).",
        group="loss",
    )
    margin: float = parameter(
        0.5,
        "How far apart pairs are pushed that do not belong together (contrastive losses).",
        gt=0,
        le=2,
        group="loss",
    )
    similar_class: str | None = parameter(
        None,
        "The class of pairs that belong together (contrastive losses); silent: the last one.",
        group="loss",
    )

    @model_validator(mode="after")
    def _losses_fit(self) -> PairClassTraining:
        if self.loss == "softmax":
            if self.matryoshka_dims:
                text = "softmax needs whole vectors; use contrastive or online-contrastive"
                raise conflict("training.matryoshka_dims", text)
            if self.similar_class is not None:
                text = "softmax learns every class; leave it out"
                raise conflict("training.similar_class", text)
        elif self.class_weights != "none":
            raise conflict("training.class_weights", f"{self.loss} has none; use softmax")
        return self


class PairClassSpec(WeightedSentenceSpec):
    """A run on pairs of texts with classes."""

    weighted_losses: ClassVar[tuple[str, ...]] = ("softmax", "contrastive")

    task: Literal["st-pair-class"] = parameter(
        "st-pair-class", "What is trained.", level="beginner"
    )
    training: PairClassTraining = parameter(PairClassTraining(), "How it is trained.")


TASK = Task(
    id="st-pair-class",
    family="sentence embedding",
    title="Pairs with classes",
    sentence="Teach a model the relation of two texts, such as agreement or contradiction.",
    columns=(
        *two_sentences("A man is sleeping.", "Nobody is awake."),
        Column(
            "label",
            "class name",
            "entailment",
            names=("label", "target", "class", "relation", "labels"),
        ),
    ),
    spec=PairClassSpec,
    metrics=(*CLASS_METRICS, "eval_average_precision", "eval_threshold"),
    default_model=DEFAULT_MODEL,
    sample=SAMPLES / "st-pair-class",
    train="luthier.trainers.sentence.classes:train",
    notes=(
        "With softmax the layer that tells the classes is kept in pair_classes.safetensors, and "
        "predictions say the class.",
        "With the contrastive losses predictions say how similar two texts are; threshold is the "
        "similarity that tells the two kinds apart best.",
    ),
    rules="luthier.trainers.sentence.rows:PairClassRows",
    loading=LOADING,
    usage=usage("sentence1", "sentence2"),
    predict="luthier.trainers.sentence.predicting:PairClassPredictor",
    inputs=Inputs(("sentence1", "sentence2"), kind="row"),
    tiny=TINY,
    sample_settings=SAMPLE_SETTINGS,
    aliases=("st:pair_class", "st:pair-class", "sentence-transformers:pair_class"),
)
