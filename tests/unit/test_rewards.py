"""Built-in rewards, and settings of them that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.trainers.preference.rewards import (
    closeness,
    has_format,
    json_share,
    reward_functions,
)
from luthier.trainers.spec.reward_section import RewardSection

from .preferences import Row, said


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
