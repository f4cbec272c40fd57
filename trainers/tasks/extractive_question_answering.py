"""extractive-question-answering: the words of a text that answer a question."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ..registry import Column, Inputs, Loading, Task
from ..spec import TrainingSection, WeightedColumnSpec, conflict, parameter


class QuestionTraining(TrainingSection):
    """How long contexts are cut into pieces, beside the common settings."""

    max_length: int = parameter(
        384,
        "Longest piece of question and context together; longer contexts become several pieces.",
        level="beginner",
        unit="tokens",
        ge=16,
        group="text",
    )
    doc_stride: int = parameter(
        128, "How many tokens two pieces of a context share.", unit="tokens", ge=0, group="text"
    )
    max_answer_length: int = parameter(
        30, "Longest answer.", unit="tokens", ge=1, level="beginner", group="text"
    )
    null_score_threshold: float = parameter(
        0.0,
        "No answer is given when it scores so much more than the best answer; "
        "only where some rows have none.",
        group="text",
    )

    @model_validator(mode="after")
    def _pieces_go_on(self) -> QuestionTraining:
        if self.doc_stride >= self.max_length // 2:
            raise conflict(
                "training.doc_stride", f"must be below half of max_length ({self.max_length})"
            )
        return self


class QuestionSpec(WeightedColumnSpec):
    """An extractive question answering run."""

    task: Literal["extractive-question-answering"] = parameter(
        "extractive-question-answering", "What is trained.", level="beginner"
    )
    training: QuestionTraining = parameter(QuestionTraining(), "How it is trained.")


TASK = Task(
    id="extractive-question-answering",
    family="text",
    title="Extractive question answering",
    sentence="Teach a model to mark the words of a text that answer a question.",
    columns=(
        Column("question", "text", "Where does Anna live?", names=("question",)),
        Column("context", "text", "Anna lives in Oslo.", names=("context", "text", "passage")),
        Column(
            "answers",
            "mapping of texts and where they start in the context, or the answer's text",
            {"text": ["Oslo"], "answer_start": [14]},
            names=("answers", "answer"),
        ),
    ),
    spec=QuestionSpec,
    metrics=(
        "eval_f1",
        "eval_exact_match",
        "eval_loss",
        "eval_has_answer_f1",
        "eval_has_answer_exact_match",
        "eval_no_answer_accuracy",
    ),
    default_model="distilbert/distilbert-base-cased",
    sample=Path(__file__).parent.parent / "samples" / "extractive-question-answering",
    train="luthier.trainers.text.questions:train",
    notes=(
        "The layout of SQuAD 1 and 2; without texts, or with the start -1, a row has no answer.",
        "f1 and exact_match are in percent, as SQuAD's own program has them.",
    ),
    rules="luthier.trainers.text.rows:QuestionRows",
    loading=Loading(
        "AutoModelForQuestionAnswering",
        peft_type="QUESTION_ANS",
        pipeline_tag="question-answering",
    ),
    usage="""
question, context = $question, $context
inputs = tokenizer(
    question, context, truncation="only_second", return_offsets_mapping=True, return_tensors="pt"
)
places = inputs.pop("offset_mapping")[0].tolist()
outputs = model(**inputs)
start, end = outputs.start_logits[0].argmax().item(), outputs.end_logits[0].argmax().item()
print(context[places[start][0] : places[end][1]])
""",
    predict="luthier.trainers.text.questions:AnswerPredictor",
    inputs=Inputs(("question", "context"), kind="row"),
    tiny="luthier.trainers.tiny.text:encoder",
    sample_settings={
        "training.learning_rate": 0.002,
        "training.num_train_epochs": 10,
        "training.max_length": 64,
        "training.doc_stride": 16,
    },
    aliases=("extractive_question_answering", "extractive-qa", "extractive_qa", "ext_qa"),
)
