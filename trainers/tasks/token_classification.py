"""token-classification: a tag for each word, such as the names in a text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..registry import Column, Inputs, Loading, Task
from ..spec import TrainingSection, WeightedColumnSpec, parameter


class TokenTraining(TrainingSection):
    """How words become tokens, beside the common settings."""

    max_length: int = parameter(
        128,
        "Longest text; words after it are not learnt.",
        level="beginner",
        unit="tokens",
        ge=4,
        group="text",
    )
    label_all_tokens: bool = parameter(
        False, "Tag every piece of a word, not only its first.", group="text"
    )
    class_weights: Literal["none", "balanced"] | dict[str, float] = parameter(
        "none",
        "balanced lets rare tags count as much as common ones; or a weight for each tag.",
        group="loss",
    )


class TokenClassificationSpec(WeightedColumnSpec):
    """A token classification run."""

    task: Literal["token-classification"] = parameter(
        "token-classification", "What is trained.", level="beginner"
    )
    training: TokenTraining = parameter(TokenTraining(), "How it is trained.")


TASK = Task(
    id="token-classification",
    family="text",
    title="Token classification",
    sentence="Teach a model to tag each word of a text: names of people, places, parts of speech.",
    columns=(
        Column("tokens", "list of words", ["Anna", "is", "here"], names=("tokens", "words")),
        Column(
            "tags",
            "list of tags, one for each word",
            ["B-PER", "O", "O"],
            names=("tags", "ner_tags", "labels", "pos_tags"),
        ),
    ),
    spec=TokenClassificationSpec,
    metrics=("eval_f1", "eval_precision", "eval_recall", "eval_accuracy", "eval_loss"),
    default_model="distilbert/distilbert-base-cased",
    sample=Path(__file__).parent.parent / "samples" / "token-classification",
    train="luthier.trainers.text.tokens:train",
    notes=(
        "With tags such as B-PER and I-PER whole entities are counted, as seqeval does; with "
        "others every tag counts by itself.",
        "Lists may be written as JSON or as Python writes them.",
    ),
    rules="luthier.trainers.text.rows:TokenRows",
    loading=Loading(
        "AutoModelForTokenClassification",
        peft_type="TOKEN_CLS",
        pipeline_tag="token-classification",
    ),
    usage="""
words = $tokens
inputs = tokenizer(words, is_split_into_words=True, truncation=True, return_tensors="pt")
tags = model(**inputs).logits[0].argmax(-1).tolist()
first = dict(zip(reversed(inputs.word_ids()), reversed(tags)))
for number, word in enumerate(words):
    print(word, model.config.id2label[first[number]])
""",
    predict="luthier.trainers.text.tokens:TagPredictor",
    inputs=Inputs(("tokens",)),
    tiny="luthier.trainers.tiny.text:encoder",
    sample_settings={"training.learning_rate": 0.003, "training.num_train_epochs": 8},
    aliases=("token_classification",),
)
