"""vlm-vqa: questions about pictures, and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.column_task import Measured, run_column_task
from ..engine.job import Job, Result
from ..tasks.vlm_vqa import QuestionsSpec
from ..text.spans import exact_match, f1
from .task import PicturePredictor, PictureTask


def train(job: Job[QuestionsSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, Questions)


class Questions(PictureTask[QuestionsSpec]):
    """Questions about pictures."""

    def compare(self, measured: Measured, texts: Sequence[str], answers: Sequence[str]) -> None:
        pairs = list(zip(texts, answers, strict=True))
        exact = [exact_match(text, [answer]) for text, answer in pairs]
        overlap = [f1(text, [answer]) for text, answer in pairs]
        measured.values["exact_match"] = 100 * float(np.mean(exact))
        measured.values["f1"] = 100 * float(np.mean(overlap))


class AnswerPredictor(PicturePredictor):
    """An answer to each question."""

    role = "answer"

    def question(self, row: Mapping[str, Any]) -> str:
        return str(row["question"])
