"""vlm-vqa: a model that sees learns to answer questions about pictures."""

from __future__ import annotations

from typing import Literal

from ..registry import Column, Inputs, Task
from ..spec import parameter
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


class QuestionsSpec(PictureSpec):
    """A run on questions about pictures."""

    task: Literal["vlm-vqa"] = parameter("vlm-vqa", "What is trained.", level="beginner")


TASK = Task(
    id="vlm-vqa",
    family="vision-language",
    title="Questions about pictures",
    sentence="Teach a model that sees to answer questions about pictures as your rows do.",
    columns=(
        PICTURE,
        Column(
            "question",
            "text",
            "What colour is the boat?",
            unless="messages",
            names=("question", "prompt", "prompt_text", "query", "instruction"),
        ),
        Column(
            "answer",
            "text",
            "blue",
            unless="messages",
            names=("answer", "text", "label", "target", "completion", "response"),
        ),
        Column(
            "messages",
            "chat messages, the last one the answer",
            [
                {
                    "role": "user",
                    "content": [{"type": "image"}, {"type": "text", "text": "Where?"}],
                },
                {"role": "assistant", "content": "At sea."},
            ],
            required=False,
            names=("messages", "conversations", "chat"),
        ),
    ),
    spec=QuestionsSpec,
    metrics=(
        "eval_exact_match",
        "eval_loss",
        "eval_token_accuracy",
        "eval_f1",
        "eval_rougeL",
        "eval_chrf",
    ),
    default_model=DEFAULT_MODEL,
    sample=SAMPLES / "vlm-vqa",
    train="luthier.trainers.vision_language.questions:train",
    notes=(
        "A row has a question and an answer, or messages of which the last one is learnt.",
        "exact_match and f1 compare answers as SQuAD does: no capitals, articles or punctuation.",
        "exact_match, f1, ROUGE, chrF and token_accuracy are in percent.",
    ),
    rules="luthier.trainers.vision_language.rows:QuestionRows",
    loading=LOADING,
    usage=usage("question"),
    predict="luthier.trainers.vision_language.questions:AnswerPredictor",
    inputs=Inputs(("image", "question"), kind="image"),
    tiny=TINY,
    sample_settings=SAMPLE_SETTINGS,
    aliases=("vlm:vqa",),
)
