"""Rows of preferences, labels and prompts: every shape that is understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier.trainers.data.preference_inspect import inspect_preferences

from .preferences import LABELLED, PAIRS, PROMPTS, Row, look, pair, said, spec_of


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
