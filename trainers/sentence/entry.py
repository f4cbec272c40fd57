"""What the registry entries of the sentence transformer tasks share. Torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..registry import Column, Loading

SAMPLES = Path(__file__).parent.parent / "samples"
DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
SAMPLE_SETTINGS: dict[str, Any] = {
    "training.learning_rate": 0.001,
    "training.num_train_epochs": 10,
}
TINY = "luthier.trainers.tiny.sentence:embedder"
PREDICT = "luthier.trainers.sentence.predicting:SimilarityPredictor"
LOADING = Loading(
    auto_class="",
    peft_type="FEATURE_EXTRACTION",
    library="sentence-transformers",
    pipeline_tag="sentence-similarity",
)
RANK_METRICS = (
    "eval_mrr_at_10",
    "eval_loss",
    "eval_accuracy_at_1",
    "eval_accuracy_at_5",
    "eval_accuracy_at_10",
    "eval_ndcg_at_10",
    "eval_recall_at_10",
    "eval_map_at_100",
)
"""Of finding a text's partner among those of all validation rows."""

_FIRST = ("sentence1", "sentence_1", "sentence_a", "text1", "text", "sentence", "anchor", "premise")
_SECOND = (
    "sentence2",
    "sentence_2",
    "sentence_b",
    "text2",
    "text_pair",
    "positive",
    "hypothesis",
    "paraphrase",
)


def two_sentences(first: str, second: str) -> tuple[Column, Column]:
    """The columns of a pair, with an example of each."""
    return (
        Column("sentence1", "text", first, names=_FIRST),
        Column("sentence2", "text", second, names=_SECOND),
    )


def usage(first: str, second: str) -> str:
    """The card's code: how similar the values of two roles are."""
    return f"""\
from sentence_transformers import SentenceTransformer

folder = "."  # this folder, or its name on the hub
model = SentenceTransformer(folder)
first, second = model.encode([${first}, ${second}])
print(model.similarity(first, second).item())
"""
