"""Rows of preferences, labels and prompts: what stops a run, and what is only odd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from luthier.trainers.errors import SpecError

from .preferences import LABELLED, PAIRS, PROMPTS, Row, look, pair, said, spec_of


def _without(rows: Sequence[Row], key: str) -> list[Row]:
    return [{name: value for name, value in row.items() if name != key} for row in rows]


CHAT = [said("user", "hi"), said("assistant", "yes")]
STOPS: list[tuple[str, str, list[Row], Row, str]] = [
    ("no rejected", "llm-dpo", _without(PAIRS, "rejected"), {}, "there is no column 'rejected'"),
    ("no chosen", "llm-dpo", _without(PAIRS, "chosen"), {}, "there is no column 'chosen'"),
    (
        "misspelt column",
        "llm-dpo",
        [{**row, "rejcted": "no"} for row in _without(PAIRS, "rejected")],
        {},
        "did you mean 'rejcted'?",
    ),
    (
        "unknown part",
        "llm-dpo",
        PAIRS,
        {"data__column_mapping": {"choosen": "chosen"}},
        "there is no part 'choosen'; did you mean 'chosen'?",
    ),
    (
        "mapped to nothing",
        "llm-dpo",
        PAIRS,
        {"data__column_mapping": {"chosen": "best"}},
        "there is no column 'best'",
    ),
    (
        "many empty",
        "llm-dpo",
        [{**row, "chosen": ""} for row in PAIRS],
        {},
        "chosen is empty in 20 of 20 rows; fill or remove them",
    ),
    (
        "many null prompts",
        "llm-dpo",
        [{**row, "prompt": None} for row in PAIRS],
        {},
        "prompt is empty in 20 of 20 rows",
    ),
    (
        "the same answers",
        "llm-orpo",
        [{**row, "rejected": row["chosen"]} for row in PAIRS],
        {},
        "chosen and rejected are the same in 20 of 20 rows",
    ),
    (
        "no common beginning",
        "llm-dpo",
        [{"chosen": f"yes {n}", "rejected": f"no {n}"} for n in range(9)],
        {},
        "chosen and rejected begin differently, so there is no prompt",
    ),
    (
        "a number for an answer",
        "llm-reward",
        [{**row, "chosen": 3} for row in PAIRS],
        {},
        "chosen is a number, not text",
    ),
    (
        "chats of different beginnings",
        "llm-dpo",
        [{"chosen": CHAT, "rejected": [said("user", "ho"), said("assistant", "no")]}],
        {},
        "do not begin with the same turns before an answer",
    ),
    (
        "one whole chat",
        "llm-dpo",
        [{"chosen": CHAT, "rejected": [said("assistant", "no")]}],
        {},
        "chosen begins with a prompt and the other answer does not",
    ),
    (
        "answers without a prompt",
        "llm-dpo",
        [{"chosen": [said("assistant", "yes")], "rejected": [said("assistant", "no")]}],
        {},
        "are answers without a prompt; name its column",
    ),
    (
        "a prompt that ends with an answer",
        "llm-dpo",
        [{"prompt": CHAT, "chosen": "a", "rejected": "b"}],
        {},
        "prompt ends with a turn of the assistant",
    ),
    (
        "an unknown role",
        "llm-dpo",
        [{"chosen": [said("robot", "hi"), said("assistant", "yes")], "rejected": CHAT}],
        {},
        "has the unknown role 'robot'",
    ),
    (
        "a template of no column",
        "llm-dpo",
        PAIRS,
        {"data__prompt_template": "{quesion}"},
        "there is no column 'quesion'",
    ),
    (
        "labels that are neither",
        "llm-kto",
        [{**row, "label": "maybe" if n > 17 else row["label"]} for n, row in enumerate(LABELLED)],
        {},
        "train.jsonl lines 19, 20: the label 'maybe' in label is not yes or no",
    ),
    (
        "a label of stars",
        "llm-kto",
        [{**row, "label": 5} for row in LABELLED],
        {},
        "the label '5' in label is not yes or no",
    ),
    (
        "all good",
        "llm-kto",
        [{**row, "label": True} for row in LABELLED],
        {},
        "every answer is marked good; both good and bad ones are needed",
    ),
    (
        "all bad",
        "llm-kto",
        [{**row, "label": 0} for row in LABELLED],
        {},
        "every answer is marked bad",
    ),
    ("no label", "llm-kto", _without(LABELLED, "label"), {}, "there is no column 'label'"),
    (
        "no completion",
        "llm-kto",
        _without(LABELLED, "completion"),
        {},
        "there is no column 'completion'",
    ),
    (
        "null labels",
        "llm-kto",
        [{**row, "label": None} for row in LABELLED],
        {},
        "label is empty in 20 of 20 rows",
    ),
    (
        "a chat without an answer",
        "llm-kto",
        [{"messages": [said("user", f"{n}")], "label": n % 2} for n in range(9)],
        {},
        "messages does not end with an answer",
    ),
    ("no prompt", "llm-grpo", _without(PROMPTS, "prompt"), {}, "there is no column 'prompt'"),
    (
        "no answers to match",
        "llm-grpo",
        _without(PROMPTS, "answer"),
        {},
        "there is no column 'answer', which rewards.answer_column names",
    ),
    (
        "empty answers to match",
        "llm-grpo",
        [{**row, "answer": ""} for row in PROMPTS],
        {},
        "answer is empty in 20 of 20 rows",
    ),
    (
        "python text",
        "llm-grpo",
        [{"messages": str([said("user", "hi")]), "answer": "x"}],
        {},
        "messages is Python text, not JSON",
    ),
]


@pytest.mark.parametrize("case", STOPS, ids=lambda case: case[0])
def test_what_stops_a_run(tmp_path: Path, case: tuple[str, str, list[Row], Row, str]) -> None:
    _, task, rows, settings, expected = case
    found = look(tmp_path, task, rows, **settings)
    sentences = [str(problem) for problem in found.problems]
    assert any(expected in sentence for sentence in sentences), sentences
    assert all("\n" not in sentence for sentence in sentences)


WARNS: list[tuple[str, str, list[Row], str]] = [
    ("a few empty", "llm-dpo", [*PAIRS, pair(30, chosen=" ")], "line 21: chosen is empty in 1 of"),
    ("a few alike", "llm-dpo", [*PAIRS, pair(30, chosen="x", rejected="x")], "are the same in 1"),
    ("repeated", "llm-dpo", [*PAIRS, PAIRS[0]], "line 21: 1 row is the same as an earlier row"),
    (
        "the other way round",
        "llm-dpo",
        [*PAIRS, pair(0, chosen="bad 0", rejected="good 0")],
        "line 21: 1 row says the opposite of an earlier row",
    ),
    (
        "good and bad",
        "llm-kto",
        [*LABELLED, {**LABELLED[3], "label": False}],
        "1 row says the opposite of an earlier row",
    ),
    (
        "few bad ones",
        "llm-kto",
        [{**row, "label": n > 0} for n, row in enumerate(LABELLED)],
        "only 1 of 20 answers are marked bad; raise training.undesirable_weight",
    ),
]


@pytest.mark.parametrize("case", WARNS, ids=lambda case: case[0])
def test_what_is_only_odd(tmp_path: Path, case: tuple[str, str, list[Row], str]) -> None:
    _, task, rows, expected = case
    found = look(tmp_path, task, rows)
    assert found.problems == []
    assert any(expected in str(warning) for warning in found.warnings), found.warnings


@pytest.mark.parametrize(
    ("task", "settings", "expected"),
    [
        ("llm-dpo", {"training__loss_weights": [1.0, 2.0]}, "2 weights for 1 losses"),
        ("llm-dpo", {"training__loss_type": ["exo_pair"]}, "must be above 0 for exo_pair"),
        (
            "llm-dpo",
            {"training__f_divergence_type": "forward_kl", "training__loss_type": ["aot"]},
            "must be reverse_kl for aot",
        ),
        ("llm-dpo", {"training__sync_ref_model": True}, "set peft.method to none"),
        ("llm-dpo", {"training__loss_type": ["sigmoyd"]}, "training.loss_type"),
        ("llm-kto", {"training__label_smoothing_factor": 0.1}, "has no effect on llm-kto"),
        ("llm-grpo", {"training__num_generations": 3}, "must be a multiple of it"),
        ("llm-grpo", {"training__generation_batch_size": 12}, "must be a multiple of the 8 rows"),
        ("llm-grpo", {"rewards__functions": ["exact"]}, "'exact' is none; choose exact_match"),
        ("llm-grpo", {"rewards__functions": ["regex"]}, "the reward regex needs it"),
        ("llm-grpo", {"rewards__functions": ["model"]}, "the reward model needs it"),
        ("llm-grpo", {"rewards__pattern": "("}, "is no regular expression"),
        ("llm-grpo", {"rewards__answer_pattern": "x"}, "has no group"),
        ("llm-grpo", {"rewards__weights": [1, 2]}, "2 weights for 1 functions"),
        ("llm-dpo", {"data__prompt_function": "name"}, "is written file.py:name"),
        ("llm-orpo", {"peft__method": "prompt-tuning"}, "does not go with llm-orpo"),
    ],
)
def test_settings_that_cannot_be(task: str, settings: Row, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(Path("rows.jsonl"), task, **settings)
    assert expected in str(caught.value)
