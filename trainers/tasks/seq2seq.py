"""seq2seq: a text made of another text, such as a translation or a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..registry import Column, Inputs, Loading, Task
from ..spec import (
    EvaluationSection,
    TrainingSection,
    WeightedColumnSpec,
    WeightedDataSection,
    parameter,
)


class PrefixedDataSection(WeightedDataSection):
    """Where the rows come from, and what is put before every input."""

    prefix: str = parameter(
        "", "Text put before every input, such as 'summarize: ' for T5.", example="summarize: "
    )


class Seq2SeqTraining(TrainingSection):
    """How texts are cut, beside the common settings."""

    max_length: int = parameter(
        128,
        "Longest input; what is longer is cut.",
        level="beginner",
        unit="tokens",
        ge=4,
        group="text",
    )
    max_target_length: int = parameter(
        128,
        "Longest target, and longest text that is written.",
        level="beginner",
        unit="tokens",
        ge=2,
        group="text",
    )


class Seq2SeqEvaluation(EvaluationSection):
    """Loss, and scores of the texts that the model writes for the validation rows."""

    num_beams: int = parameter(
        1, "Beams of the search for a text; 1 always takes the likeliest token.", ge=1, le=64
    )
    samples: int = parameter(3, "How many written texts are kept as samples.", ge=0, le=100)


class Seq2SeqSpec(WeightedColumnSpec):
    """A sequence to sequence run."""

    task: Literal["seq2seq"] = parameter("seq2seq", "What is trained.", level="beginner")
    data: PrefixedDataSection = parameter(meaning="The rows.", level="beginner")
    training: Seq2SeqTraining = parameter(Seq2SeqTraining(), "How it is trained.")
    evaluation: Seq2SeqEvaluation = parameter(Seq2SeqEvaluation(), "How it is measured.")


TASK = Task(
    id="seq2seq",
    family="text",
    title="Text to text",
    sentence="Teach an encoder-decoder model to make a text of another: translate, summarise.",
    columns=(
        Column(
            "text",
            "text",
            "apple pear plum",
            names=("text", "source", "input", "document", "article"),
        ),
        Column(
            "target",
            "text",
            "plum pear apple",
            names=("target", "label", "summary", "output", "translation"),
        ),
    ),
    spec=Seq2SeqSpec,
    metrics=(
        "eval_rougeL",
        "eval_loss",
        "eval_rouge1",
        "eval_rouge2",
        "eval_rougeLsum",
        "eval_bleu",
        "eval_chrf",
        "eval_exact_match",
        "eval_written_tokens",
    ),
    default_model="google/flan-t5-small",
    sample=Path(__file__).parent.parent / "samples" / "seq2seq",
    train="luthier.trainers.text.sequences:train",
    notes=("ROUGE, BLEU, chrF and exact_match are in percent.",),
    rules="luthier.trainers.text.rows:PairRows",
    loading=Loading(
        "AutoModelForSeq2SeqLM", peft_type="SEQ_2_SEQ_LM", pipeline_tag="text2text-generation"
    ),
    usage="""
inputs = tokenizer($text, truncation=True, return_tensors="pt")
inputs.pop("token_type_ids", None)
written = model.generate(**inputs, max_new_tokens=128)
print(tokenizer.decode(written[0], skip_special_tokens=True))
""",
    predict="luthier.trainers.text.sequences:TextPredictor",
    inputs=Inputs(("text",)),
    tiny="luthier.trainers.tiny.text:encoder_decoder",
    sample_settings={
        "training.learning_rate": 0.005,
        "training.num_train_epochs": 10,
        "training.max_length": 16,
        "training.max_target_length": 16,
    },
)
