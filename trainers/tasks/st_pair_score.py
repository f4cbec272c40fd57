"""st-pair-score: vectors lie as close as texts are similar, by numbers that people gave."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..registry import Column, Inputs, Task
from ..sentence.entry import (
    DEFAULT_MODEL,
    LOADING,
    PREDICT,
    SAMPLE_SETTINGS,
    SAMPLES,
    TINY,
    two_sentences,
    usage,
)
from ..sentence.settings import SentenceTraining, WeightedSentenceSpec
from ..spec import parameter


class ScoreTraining(SentenceTraining):
    """How scores are learnt, beside the common settings."""

    loss: Literal["cosent", "angle", "cosine-similarity"] = parameter(
        "cosent",
        "cosent and angle learn which pair is the more similar one, whatever the scores' range; "
        "cosine-similarity learns the scores themselves, from -1 to 1.",
        group="loss",
    )
    scale: float = parameter(
        20.0,
        "Similarities are multiplied by this before they are compared (cosent, angle).",
        gt=0,
        group="loss",
    )


class ScoreSpec(WeightedSentenceSpec):
    """A run on pairs of texts with scores."""

    weighted_losses: ClassVar[tuple[str, ...]] = ("cosine-similarity",)

    task: Literal["st-pair-score"] = parameter(
        "st-pair-score", "What is trained.", level="beginner"
    )
    training: ScoreTraining = parameter(ScoreTraining(), "How it is trained.")


TASK = Task(
    id="st-pair-score",
    family="sentence embedding",
    title="Pairs with scores",
    sentence="Teach a model how similar two texts are, from pairs with a number.",
    columns=(
        *two_sentences("A dog runs in the park.", "An animal is outside."),
        Column(
            "score",
            "number, higher is more similar",
            0.7,
            names=("score", "similarity", "target", "label", "similarity_score"),
        ),
    ),
    spec=ScoreSpec,
    metrics=("eval_spearman", "eval_loss", "eval_pearson"),
    default_model=DEFAULT_MODEL,
    sample=SAMPLES / "st-pair-score",
    train="luthier.trainers.sentence.scores:train",
    notes=(
        "spearman and pearson compare the similarity of the vectors with the scores: 1 is "
        "perfect, 0 is chance.",
    ),
    rules="luthier.trainers.sentence.rows:ScoreRows",
    loading=LOADING,
    usage=usage("sentence1", "sentence2"),
    predict=PREDICT,
    inputs=Inputs(("sentence1",), optional=("sentence2",)),
    tiny=TINY,
    sample_settings=SAMPLE_SETTINGS,
    aliases=("st:pair_score", "st:pair-score", "sentence-transformers:pair_score"),
)
