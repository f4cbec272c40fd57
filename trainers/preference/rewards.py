"""What an answer earns: the built-in rewards, and the user's own functions. Torch-free."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from ..data.functions import load_function
from ..errors import TrainingError
from ..spec.reward_section import RewardSection

Rewards = list[float | None]
RewardFunction = Callable[..., Rewards]
"""Called as TRL does: prompts, completions and each further column of the rows, as lists."""


def reward_functions(section: RewardSection, model: RewardFunction | None) -> list[RewardFunction]:
    """The functions of a run, each with the name under which its mean is shown.

    Args:
        section: which, and what they look for.
        model: the reward ``model``, already loaded.

    Raises:
        DataError: a function of the user's cannot be loaded.
    """
    built_in: dict[str, RewardFunction] = {
        "exact_match": _ExactMatch(section),
        "regex": _each(_pattern(section)),
        "length": _each(lambda text: closeness(len(text), section.length_target or 1)),
        "format": _each(lambda text: float(has_format(text, section.format_tags))),
        "json": _each(lambda text: json_share(text, section.json_keys)),
    }
    if model is not None:
        built_in["model"] = model
    return [
        _named(built_in[name], name)
        if name in built_in
        else _named(_own(name), name.rpartition(":")[2])
        for name in section.functions
    ]


def text_of(completion: Any) -> str:
    """The text of a completion: itself, or what its messages say."""
    if isinstance(completion, str):
        return completion
    return "".join(str(message.get("content") or "") for message in completion)


class _ExactMatch:
    """1 when the answer in a text is the row's, 0 when it is another or none."""

    def __init__(self, section: RewardSection) -> None:
        self._column = section.answer_column
        self._pattern = re.compile(section.answer_pattern) if section.answer_pattern else None
        self._ignore_case = section.ignore_case

    def __call__(self, completions: Sequence[Any], **columns: Any) -> Rewards:
        answers = columns.get(self._column) or [None] * len(completions)
        return [
            None if answer is None else self._one(text_of(completion), str(answer))
            for completion, answer in zip(completions, answers, strict=True)
        ]

    def _one(self, text: str, answer: str) -> float:
        if self._pattern:
            found = [match.group(1) or "" for match in self._pattern.finditer(text)]
            if not found:
                return 0.0
            # Whoever thinks aloud says the answer last.
            text = found[-1]
        return float(self._plain(text) == self._plain(answer))

    def _plain(self, text: str) -> str | float:
        """A number as a number, so that 4, 4.0 and 4,000.0 are what they mean."""
        words = " ".join(text.split())
        try:
            return float(words.replace(",", ""))
        except ValueError:
            return words.casefold() if self._ignore_case else words


def _pattern(section: RewardSection) -> Callable[[str], float]:
    flags = re.DOTALL | (re.IGNORECASE if section.ignore_case else 0)
    compiled = re.compile(section.pattern or "", flags)
    return lambda text: float(bool(compiled.search(text)))


def closeness(length: int, target: int) -> float:
    """1 at the target, falling evenly to 0 at nothing and at twice the target."""
    return max(0.0, 1 - abs(length - target) / target)


def has_format(text: str, tags: Sequence[str]) -> bool:
    """Whether the text is the tags in their order, each once and around something."""
    names = [re.escape(tag) for tag in tags]
    shape = r"\s*".join(rf"<{name}>\s*\S.*?</{name}>" for name in names)
    if not re.fullmatch(rf"\s*{shape}\s*", text, re.DOTALL):
        return False
    return all(text.count(f"<{tag}>") == text.count(f"</{tag}>") == 1 for tag in tags)


def json_share(text: str, keys: Sequence[str]) -> float:
    """1 for valid JSON; with keys the share of them that the object has."""
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return 0.0
    if not keys:
        return 1.0
    return sum(key in value for key in keys) / len(keys) if isinstance(value, dict) else 0.0


def _each(function: Callable[[str], float]) -> RewardFunction:
    """A function of one text, for many."""

    def rewards(completions: Sequence[Any], **_: Any) -> Rewards:
        return [function(text_of(completion)) for completion in completions]

    return rewards


def _own(reference: str) -> RewardFunction:
    function: Any = load_function(reference, "rewards.functions")

    def rewards(**given: Any) -> Rewards:
        try:
            found = list(function(**given))
            return [None if value is None else float(value) for value in found]
        except Exception as error:  # whatever the user's code raises
            raise TrainingError(
                f"rewards.functions {reference} raised {type(error).__name__}: {error}",
                hint="It is called with prompts, completions and each further column as lists, "
                "and gives a list of numbers.",
            ) from error

    return rewards


def _named(function: RewardFunction, name: str) -> RewardFunction:
    def rewards(**given: Any) -> Rewards:
        return function(**given)

    rewards.__name__ = name
    return rewards
