"""The embedded demo: a tiny base model, rows to fine-tune it on, and the spec of that run.

Everything lies in this folder, so the demo needs no connection. Importing this is cheap: the
modules that load torch are ``tokenizer`` and ``pretrain``, and only pre-training needs those.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
MODEL = FOLDER / "model"
TRAIN = FOLDER / "data" / "train.jsonl"
HELDOUT = FOLDER / "data" / "heldout.jsonl"
SPEC = FOLDER / "spec.yaml"


@dataclass(frozen=True)
class HeldoutRow:
    """A question that no training row asks.

    Attributes:
        messages: the chat up to the question, each message with its role and content.
        answer: the only right answer, letter by letter.
    """

    messages: tuple[dict[str, str], ...]
    answer: str


def demo_spec_text(folder: Path = FOLDER) -> str:
    """The demo run's spec as YAML.

    Args:
        folder: where the demo's model and data lie; another one when they were copied.
    """
    inside_quotes = str(folder).replace("'", "''")
    return SPEC.read_text(encoding="utf-8").replace("{demo}", inside_quotes)


def heldout_prompts() -> list[HeldoutRow]:
    """The held-out questions, in the order of the file."""
    lines = HELDOUT.read_text(encoding="utf-8").splitlines()
    return [_heldout_row(json.loads(line)) for line in lines]


def exact_match(answers: Sequence[str], expected: Sequence[str]) -> float:
    """Share of answers, 0 to 1, that equal the expected one but for white space around them.

    Raises:
        ValueError: there are not as many answers as expected ones, or none at all.
    """
    if not expected:
        raise ValueError("there is nothing to compare")
    pairs = zip(answers, expected, strict=True)
    return sum(answer.strip() == right.strip() for answer, right in pairs) / len(expected)


def _heldout_row(row: dict[str, list[dict[str, str]]]) -> HeldoutRow:
    (completion,) = row["completion"]
    return HeldoutRow(tuple(row["prompt"]), completion["content"])
