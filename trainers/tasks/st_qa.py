"""st-qa: questions find the passages that answer them."""

from __future__ import annotations

from typing import Literal

from ..registry import Column, Inputs, Task
from ..sentence.entry import DEFAULT_MODEL, LOADING, RANK_METRICS, SAMPLE_SETTINGS, SAMPLES, TINY
from ..sentence.settings import MinedTraining, SentenceSpec
from ..spec import parameter

_USAGE = """\
from sentence_transformers import SentenceTransformer

folder = "."  # this folder, or its name on the hub
model = SentenceTransformer(folder)
passages = [$answer, "Something else."]
question = model.encode_query($question)
scores = model.similarity(question, model.encode_document(passages))[0]
print(passages[scores.argmax().item()])
"""


class QuestionTraining(MinedTraining):
    """How questions find passages, beside the common settings."""

    max_length: int = parameter(
        256,
        "Longest text; what is longer is cut, in training and whenever the result is used.",
        level="beginner",
        unit="tokens",
        ge=4,
        group="text",
    )
    question_prompt: str | None = parameter(
        None,
        'What is put before every question, such as "query: "; silent: as the model has it.',
        group="text",
    )
    answer_prompt: str | None = parameter(
        None,
        'What is put before every passage, such as "passage: "; silent: as the model has it.',
        group="text",
    )


class QuestionSpec(SentenceSpec):
    """A run on questions and their passages."""

    task: Literal["st-qa"] = parameter("st-qa", "What is trained.", level="beginner")
    training: QuestionTraining = parameter(QuestionTraining(), "How it is trained.")


TASK = Task(
    id="st-qa",
    family="sentence embedding",
    title="Questions and passages",
    sentence="Teach a model to find the passage that answers a question.",
    columns=(
        Column(
            "question",
            "text",
            "When was the bridge built?",
            names=("question", "query", "sentence1", "anchor"),
        ),
        Column(
            "answer",
            "text",
            "The bridge was opened in 1932 after nine years of work.",
            names=("answer", "passage", "document", "sentence2", "positive", "context", "response"),
        ),
    ),
    spec=QuestionSpec,
    metrics=RANK_METRICS,
    default_model=DEFAULT_MODEL,
    sample=SAMPLES / "st-qa",
    train="luthier.trainers.sentence.ranking:train_questions",
    notes=(
        "The other passages of a batch are the wrong ones; training.hard_negatives adds passages "
        "that only look right.",
        "Measured by looking for each question's passage among those of all validation rows.",
        "A prediction ranks a list of passages for a question, or says how well one answers it.",
    ),
    rules="luthier.trainers.sentence.rows:QuestionRows",
    loading=LOADING,
    usage=_USAGE,
    predict="luthier.trainers.sentence.predicting:PassagePredictor",
    inputs=Inputs(("question",), optional=("answer",)),
    tiny=TINY,
    sample_settings={**SAMPLE_SETTINGS, "training.per_device_train_batch_size": 16},
    aliases=("st:qa", "sentence-transformers:qa"),
)
