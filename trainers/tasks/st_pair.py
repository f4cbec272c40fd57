"""st-pair: texts that belong together get vectors that lie close."""

from __future__ import annotations

from typing import Literal

from ..registry import Inputs, Task
from ..sentence.entry import (
    DEFAULT_MODEL,
    LOADING,
    PREDICT,
    RANK_METRICS,
    SAMPLE_SETTINGS,
    SAMPLES,
    TINY,
    two_sentences,
    usage,
)
from ..sentence.settings import MinedTraining, SentenceSpec
from ..spec import parameter


class PairSpec(SentenceSpec):
    """A run on pairs of texts that belong together."""

    task: Literal["st-pair"] = parameter("st-pair", "What is trained.", level="beginner")
    training: MinedTraining = parameter(MinedTraining(), "How it is trained.")


TASK = Task(
    id="st-pair",
    family="sentence embedding",
    title="Pairs of texts",
    sentence="Teach a model which texts mean the same, from pairs that do.",
    columns=two_sentences("A man plays a guitar.", "Somebody is making music."),
    spec=PairSpec,
    metrics=RANK_METRICS,
    default_model=DEFAULT_MODEL,
    sample=SAMPLES / "st-pair",
    train="luthier.trainers.sentence.ranking:train_pairs",
    notes=(
        "The other rows of a batch are what a text does not belong to: larger batches teach more.",
        "Measured by looking for each text's partner among those of all validation rows.",
    ),
    rules="luthier.trainers.sentence.rows:PairRows",
    loading=LOADING,
    usage=usage("sentence1", "sentence2"),
    predict=PREDICT,
    inputs=Inputs(("sentence1",), optional=("sentence2",)),
    tiny=TINY,
    sample_settings={**SAMPLE_SETTINGS, "training.per_device_train_batch_size": 16},
    aliases=("st:pair", "sentence-transformers:pair"),
)
