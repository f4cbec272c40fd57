"""Rows of preferences, labels and prompts: what is understood, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from luthier.trainers.data.findings import Findings
from luthier.trainers.data.preference_findings import examine_preferences
from luthier.trainers.data.preference_inspect import inspect_preferences, read_preferences
from luthier.trainers.errors import SpecError
from luthier.trainers.preference.rewards import (
    closeness,
    has_format,
    json_share,
    reward_functions,
)
from luthier.trainers.spec.file import parse_spec
from luthier.trainers.spec.preference_data import PromptSpec
from luthier.trainers.spec.reward_section import RewardSection

Row = dict[str, Any]


def spec_of(path: Path, task: str, **settings: Any) -> PromptSpec:
    values: Row = {
        "task": task,
        "model": {"name_or_path": "none"},
        "data": {"path": str(path)},
    }
    for key, value in settings.items():
        section, _, name = key.partition("__")
        values.setdefault(section, {})[name] = value
    spec = parse_spec(yaml.safe_dump(values))
    assert isinstance(spec, PromptSpec)
    return spec


def look(
    tmp_path: Path, task: str, rows: Sequence[Row], *, as_chat: bool = False, **settings: Any
) -> Findings:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    spec = spec_of(path, task, **{"data__validation_fraction": 0.0, **settings})
    return examine_preferences(read_preferences(spec), spec, as_chat=as_chat)


def pair(number: int, **more: Any) -> Row:
    return {
        "prompt": f"q{number}?",
        "chosen": f"good {number}",
        "rejected": f"bad {number}",
        **more,
    }


def said(role: str, text: str) -> Row:
    return {"role": role, "content": text}


PAIRS = [pair(number) for number in range(20)]
LABELLED = [
    {"prompt": f"q{n}?", "completion": f"answer {n}", "label": bool(n % 2)} for n in range(20)
]
PROMPTS = [{"prompt": f"q{n}?", "answer": str(n)} for n in range(20)]


class TestWhatIsUnderstood:
    """Every shape of a row that people bring."""

    def test_an_explicit_prompt(self, tmp_path: Path) -> None:
        found = look(tmp_path, "llm-dpo", PAIRS)
        assert (found.problems, found.warnings) == ([], [])
        example = found.examples("train")[3]
        assert (example["prompt"], example["completion"], example["rejected"]) == (
            "q3?",
            "good 3",
            "bad 3",
        )

    def test_plain_rows_become_chats(self, tmp_path: Path) -> None:
        found = look(tmp_path, "llm-dpo", PAIRS, as_chat=True, data__system_prompt="be brief")
        example = found.examples("train")[0]
        assert example["prompt"] == [said("system", "be brief"), said("user", "q0?")]
        assert example["completion"] == [said("assistant", "good 0")]

    def test_an_implicit_prompt_of_a_chat(self, tmp_path: Path) -> None:
        begin = [said("user", "hi"), said("assistant", "hello"), said("user", "more")]
        rows = [
            {
                "chosen": [*begin, said("assistant", f"yes {n}")],
                "rejected": [*begin, said("assistant", f"no {n}")],
            }
            for n in range(9)
        ]
        example = look(tmp_path, "llm-orpo", rows).examples("train")[4]
        assert example["prompt"] == begin
        assert example["rejected"] == [said("assistant", "no 4")]

    def test_a_prompt_beside_whole_chats(self, tmp_path: Path) -> None:
        rows = [
            {
                "prompt": f"hi {n}",
                "chosen": [said("user", f"hi {n}"), said("assistant", "yes")],
                "rejected": [said("user", f"hi {n}"), said("assistant", "no")],
            }
            for n in range(9)
        ]
        assert look(tmp_path, "llm-dpo", rows).examples("train")[0]["prompt"] == [
            said("user", "hi 0")
        ]

    def test_an_implicit_prompt_of_texts(self, tmp_path: Path) -> None:
        rows = [
            {
                "chosen": f"\n\nHuman: hi {n}\n\nAssistant: Of course",
                "rejected": f"\n\nHuman: hi {n}\n\nAssistant: Offended",
            }
            for n in range(9)
        ]
        example = look(tmp_path, "llm-dpo", rows, as_chat=True).examples("train")[0]
        assert example["prompt"] == "\n\nHuman: hi 0\n\nAssistant: "
        assert (example["completion"], example["rejected"]) == ("Of course", "Offended")

    def test_answers_that_repeat_the_prompt(self, tmp_path: Path) -> None:
        rows = [pair(n, chosen=f"q{n}? yes", rejected=f"q{n}? no") for n in range(9)]
        assert look(tmp_path, "llm-dpo", rows).examples("train")[0]["completion"] == " yes"

    @pytest.mark.parametrize(
        "mapping",
        [
            {"prompt_text_column": "p", "text_column": "c", "rejected_text_column": "r"},
            {"prompt": "p", "text": "c", "rejected_text": "r"},
            {"prompt": "p", "chosen": "c", "rejected": "r"},
        ],
    )
    def test_autotrains_names_of_parts(self, tmp_path: Path, mapping: Row) -> None:
        rows = [{"p": f"q{n}?", "c": f"yes {n}", "r": "no"} for n in range(9)]
        found = look(tmp_path, "llm-dpo", rows, data__column_mapping=mapping)
        assert found.recognition
        assert found.recognition.parts == {"prompt": "p", "chosen": "c", "rejected": "r"}

    def test_autotrains_columns(self, tmp_path: Path) -> None:
        rows = [{"prompt": f"q{n}", "text": "yes", "rejected_text": "no"} for n in range(9)]
        found = look(tmp_path, "llm-orpo", rows)
        assert found.problems == []
        assert found.examples("train")[0]["completion"] == "yes"

    def test_reward_pairs_without_a_prompt(self, tmp_path: Path) -> None:
        rows = [{"text": f"yes {n}", "rejected_text": f"no {n}"} for n in range(9)]
        example = look(tmp_path, "llm-reward", rows, as_chat=True).examples("train")[0]
        assert (example["prompt"], example["completion"]) == ("", "yes 0")

    def test_pairs_as_labels(self, tmp_path: Path) -> None:
        examples = look(tmp_path, "llm-kto", PAIRS).examples("train")
        assert [example["label"] for example in examples[:2]] == [True, False]
        assert len(examples) == 40

    @pytest.mark.parametrize("words", [(1, 0), ("yes", "No"), ("TRUE", "false"), (1.0, 0.0)])
    def test_words_for_good_and_bad(self, tmp_path: Path, words: tuple[Any, Any]) -> None:
        rows = [{**row, "label": words[n % 2]} for n, row in enumerate(LABELLED)]
        examples = look(tmp_path, "llm-kto", rows).examples("train")
        assert [example["label"] for example in examples] == [n % 2 == 0 for n in range(20)]

    def test_labelled_chats(self, tmp_path: Path) -> None:
        rows = [
            {"messages": [said("user", f"{n}"), said("assistant", "a")], "label": n % 2}
            for n in range(9)
        ]
        example = look(tmp_path, "llm-kto", rows).examples("train")[1]
        assert example["prompt"] == [said("user", "1")]
        assert example["label"] is True

    def test_prompts_keep_their_rows(self, tmp_path: Path) -> None:
        example = look(tmp_path, "llm-grpo", PROMPTS, as_chat=True).examples("train")[2]
        assert example["prompt"] == [said("user", "q2?")]
        assert example["row"]["answer"] == "2"

    def test_prompts_of_chats_end_before_the_answer(self, tmp_path: Path) -> None:
        rows = [
            {"messages": [said("user", f"{n}"), said("assistant", "a")], "answer": "a"}
            for n in range(9)
        ]
        assert look(tmp_path, "llm-grpo", rows).examples("train")[0]["prompt"] == [
            said("user", "0")
        ]

    def test_a_made_split_keeps_the_share_of_good_answers(self, tmp_path: Path) -> None:
        rows = [{**LABELLED[n % 20], "prompt": f"q{n}", "label": n % 4 == 0} for n in range(80)]
        found = look(tmp_path, "llm-kto", rows, data__validation_fraction=0.25)
        labels = [example["label"] for example in found.examples("validation")]
        assert (len(labels), sum(labels)) == (20, 5)

    def test_how_rows_are_shown(self, tmp_path: Path) -> None:
        look(tmp_path, "llm-dpo", PAIRS)
        report = inspect_preferences(spec_of(tmp_path / "train.jsonl", "llm-dpo"))
        assert [row.where for row in report.rows] == [
            "train.jsonl line 1 (chosen)",
            "train.jsonl line 1 (rejected)",
        ]
        assert [segment.trained for segment in report.rows[1].segments] == [False, True]


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


class TestRewards:
    """The built-in rewards."""

    def test_lengths(self) -> None:
        assert [closeness(length, 4) for length in (0, 2, 4, 6, 8, 99)] == [0, 0.5, 1, 0.5, 0, 0]

    @pytest.mark.parametrize(
        ("text", "right"),
        [
            ("<think>so</think>\n<answer>4</answer>", True),
            ("<answer>4</answer><think>so</think>", False),
            ("<think> </think><answer>4</answer>", False),
            ("<think>a</think><think>b</think><answer>4</answer>", False),
            ("well <think>a</think><answer>4</answer>", False),
            ("<think>a<answer>4</answer>", False),
        ],
    )
    def test_formats(self, text: str, right: bool) -> None:
        assert has_format(text, ["think", "answer"]) is right

    def test_json(self) -> None:
        assert json_share("[1, 2]", []) == 1
        assert json_share("[1, 2", []) == 0
        assert json_share('{"a": 1}', ["a", "b"]) == 0.5
        assert json_share("[]", ["a"]) == 0

    @pytest.mark.parametrize(
        ("text", "answer", "settings", "expected"),
        [
            (" Four ", "four", {}, 1),
            ("four", "Four", {"ignore_case": False}, 0),
            ("4,000.0", 4000, {}, 1),
            ("so it is 3. Answer: 4", "4", {"answer_pattern": "Answer: (.*)"}, 1),
            ("Answer: 3 no, Answer: 4", "4", {"answer_pattern": r"Answer: (\d)"}, 1),
            ("4", "4", {"answer_pattern": "Answer: (.*)"}, 0),
            ("5", "4", {}, 0),
            ("5", None, {}, None),
        ],
    )
    def test_exact_matches(
        self, text: str, answer: Any, settings: Row, expected: float | None
    ) -> None:
        (function,) = reward_functions(RewardSection(**settings), None)
        assert function.__name__ == "exact_match"
        chat = [said("assistant", text)]
        assert function(prompts=["q"], completions=[text], answer=[answer]) == [expected]
        assert function(prompts=["q"], completions=[chat], answer=[answer]) == [expected]
