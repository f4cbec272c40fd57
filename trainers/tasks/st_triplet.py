"""st-triplet: a text lies closer to the one that belongs to it than to the one that does not."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..registry import Column, Inputs, Task
from ..sentence.entry import DEFAULT_MODEL, LOADING, PREDICT, SAMPLE_SETTINGS, SAMPLES, TINY, usage
from ..sentence.settings import ContrastTraining, RankingLoss, WeightedSentenceSpec
from ..spec import parameter


class TripletTraining(ContrastTraining):
    """How triplets are compared, beside the common settings."""

    loss: RankingLoss | Literal["triplet"] = parameter(
        "multiple-negatives-ranking",
        "The ranking losses also tell a text from the batch's other rows, and cached takes large "
        "batches through in pieces; triplet looks at the three texts of a row alone.",
        group="loss",
    )
    margin: float = parameter(
        0.3,
        "How much closer the right text has to be, for the loss triplet; about 5 for distances "
        "other than cosine.",
        gt=0,
        group="loss",
    )
    distance: Literal["cosine", "euclidean", "manhattan"] = parameter(
        "cosine", "What the loss triplet calls far.", group="loss"
    )


class TripletSpec(WeightedSentenceSpec):
    """A run on triplets."""

    weighted_losses: ClassVar[tuple[str, ...]] = ("triplet",)

    task: Literal["st-triplet"] = parameter("st-triplet", "What is trained.", level="beginner")
    training: TripletTraining = parameter(TripletTraining(), "How it is trained.")


TASK = Task(
    id="st-triplet",
    family="sentence embedding",
    title="Triplets of texts",
    sentence="Teach a model which of two texts belongs to a third.",
    columns=(
        Column(
            "anchor",
            "text",
            "How do I bake bread?",
            names=("anchor", "sentence1", "query", "question", "text"),
        ),
        Column(
            "positive",
            "text",
            "Knead flour, water, salt and yeast, and let it rise.",
            names=("positive", "sentence2", "pos", "entailment"),
        ),
        Column(
            "negative",
            "text",
            "Bread is sold in bakeries.",
            names=("negative", "sentence3", "neg", "contradiction"),
        ),
    ),
    spec=TripletSpec,
    metrics=("eval_accuracy", "eval_loss", "eval_margin"),
    default_model=DEFAULT_MODEL,
    sample=SAMPLES / "st-triplet",
    train="luthier.trainers.sentence.ranking:train_triplets",
    notes=(
        "accuracy is the share of triplets whose right text is the closer one; margin is by how "
        "much, as a mean.",
    ),
    rules="luthier.trainers.sentence.rows:TripletRows",
    loading=LOADING,
    usage=usage("anchor", "positive"),
    predict=PREDICT,
    inputs=Inputs(("anchor",), optional=("positive", "negative")),
    tiny=TINY,
    sample_settings={**SAMPLE_SETTINGS, "training.per_device_train_batch_size": 16},
    aliases=("st:triplet", "sentence-transformers:triplet"),
)
