"""Which rewards an answer gets."""

from __future__ import annotations

import re

from pydantic import model_validator

from .parameter import Section, conflict, parameter

BUILT_IN_REWARDS = ("exact_match", "regex", "length", "format", "json", "model")


class RewardSection(Section):
    """The reward functions and what they look for."""

    functions: list[str] = parameter(
        ["exact_match"],
        "exact_match, regex, length, format, json, model, or your own file.py:function, which is "
        "run. Several are added up.",
        level="beginner",
        min_length=1,
        example=["exact_match", "length"],
    )
    weights: list[float] = parameter([], "Weight of each function; silent: all 1.")
    answer_column: str = parameter(
        "answer",
        "Column with the right answer, for exact_match.",
        level="beginner",
        min_length=1,
    )
    answer_pattern: str | None = parameter(
        None,
        "Regular expression whose first group is the answer in what the model wrote, such as "
        "'Answer: (.*)'. Silent: all it wrote.",
    )
    ignore_case: bool = parameter(True, "Capitals do not matter to exact_match and regex.")
    pattern: str | None = parameter(
        None, "Regular expression that regex looks for; found anywhere it is worth 1."
    )
    length_target: int | None = parameter(
        None,
        "Length that length aims at, worth 1; the reward falls to 0 at none and at twice as much.",
        unit="characters",
        ge=1,
    )
    format_tags: list[str] = parameter(
        ["think", "answer"],
        "Tags that format wants, each once and in this order, as <think>...</think>.",
    )
    json_keys: list[str] = parameter(
        [], "Keys that json wants in the object; without them any JSON value is worth 1."
    )
    model: str | None = parameter(
        None, "Folder or hub id of a trained reward model, for model.", example="runs/.../model"
    )

    @model_validator(mode="after")
    def _functions_have_what_they_need(self) -> RewardSection:
        for name in self.functions:
            if name not in BUILT_IN_REWARDS and ".py:" not in name:
                known = ", ".join(BUILT_IN_REWARDS)
                raise conflict(
                    "rewards.functions",
                    f"{name!r} is none; choose {known}, or your own as file.py:function",
                )
        if len(set(self.functions)) < len(self.functions):
            raise conflict("rewards.functions", "names a function twice; use rewards.weights")
        if self.weights and len(self.weights) != len(self.functions):
            raise conflict(
                "rewards.weights",
                f"has {len(self.weights)} weights for {len(self.functions)} functions",
            )
        needs = {"regex": "pattern", "length": "length_target", "model": "model"}
        for name, key in needs.items():
            if name in self.functions and not getattr(self, key):
                raise conflict(f"rewards.{key}", f"the reward {name} needs it")
        if "format" in self.functions and not self.format_tags:
            raise conflict("rewards.format_tags", "the reward format needs at least one tag")
        self._patterns_are_valid()
        return self

    def _patterns_are_valid(self) -> None:
        for key in ("pattern", "answer_pattern"):
            text = getattr(self, key)
            try:
                compiled = re.compile(text or "")
            except re.error as error:
                raise conflict(f"rewards.{key}", f"is no regular expression: {error}") from error
            if key == "answer_pattern" and text and not compiled.groups:
                raise conflict(f"rewards.{key}", "has no group; put the answer in (brackets)")
