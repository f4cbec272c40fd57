"""What a person may want, and the task and page that belong to it."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.trainers.registry import tasks


@dataclass(frozen=True)
class Goal:
    """One thing to want.

    Attributes:
        id: what the guide calls it.
        text: in the person's words.
        task: id of the task that leads there.
        page: id of the page to read first.
    """

    id: str
    text: str
    task: str
    page: str


_GOALS = (
    Goal("answers", "teach a model to answer the way my examples do", "llm-sft", "first-run"),
    Goal("field", "make a model at home in the texts of my field", "llm-generic", "first-run"),
    Goal("prefer", "teach a model which of two answers is better", "llm-dpo", "preferences"),
    Goal("sort", "sort texts into classes", "text-classification", "texts"),
    Goal("rewrite", "make a text of another: translate, shorten", "seq2seq", "texts"),
    Goal("alike", "find texts that mean the same", "st-pair", "embeddings"),
    Goal("pictures", "tell what is in pictures", "image-classification", "pictures"),
    Goal("captions", "let a model describe pictures", "vlm-captioning", "pictures"),
    Goal("table", "predict a class from a row of a table", "tabular-classification", "tables"),
    Goal("number", "predict a number from a row of a table", "tabular-regression", "tables"),
)


def goals() -> list[Goal]:
    """What this installation has a task for."""
    return [goal for goal in _GOALS if goal.task in tasks()]


def find_goal(goal_id: str) -> Goal:
    """The goal of that id; there must be one."""
    return next(goal for goal in _GOALS if goal.id == goal_id)
