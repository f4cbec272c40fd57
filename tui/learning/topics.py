"""The topics: short Markdown pages that the package carries, each with a head of a few lines.

---
title: Learning rate
group: Basic fine-tuning
level: beginner
settings: [training.learning_rate]
---
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from luthier.trainers.errors import LuthierError

_PAGES = Path(__file__).parent / "pages"
Level = Literal["beginner", "intermediate", "advanced"]


@dataclass(frozen=True)
class Topic:
    """One page.

    Attributes:
        id: the file's name without its number, such as ``learning-rate``.
        group: the heading that it stands under.
        settings: dotted keys of the settings that it explains.
        text: Markdown, without the title.
    """

    id: str
    title: str
    group: str
    level: Level
    settings: tuple[str, ...]
    text: str


@cache
def topics() -> tuple[Topic, ...]:
    """Every topic, in the order in which they are best read."""
    return tuple(_read(path) for path in sorted(_PAGES.glob("*/*.md")))


def find_topic(topic_id: str) -> Topic:
    """The topic of that id. Raises LuthierError when there is none."""
    for topic in topics():
        if topic.id == topic_id:
            return topic
    raise LuthierError(f"There is no topic {topic_id!r}.", hint="They are listed under Learn.")


def topic_of(setting: str) -> Topic | None:
    """The page that explains a setting, by its dotted key; None when none does."""
    return next((topic for topic in topics() if setting in topic.settings), None)


def matching(words: str, among: Sequence[Topic]) -> list[Topic]:
    """The topics that have all the words, those with one in the title first."""
    wanted = words.lower().split()

    def has(text: str) -> bool:
        return all(word in text.lower() for word in wanted)

    by_title = [topic for topic in among if has(f"{topic.title} {topic.group}")]
    return by_title + [
        topic for topic in among if topic not in by_title and has(topic.title + topic.text)
    ]


def _read(path: Path) -> Topic:
    _, head, text = path.read_text(encoding="utf-8").split("---\n", 2)
    values = yaml.safe_load(head)
    return Topic(
        id=path.stem.partition("-")[2],
        title=values["title"],
        group=values["group"],
        level=values["level"],
        settings=tuple(values.get("settings", ())),
        text=text.strip() + "\n",
    )
