"""The data section and training settings of causal language models."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from .adapter_section import PeftSection
from .data_section import WeightedDataSection
from .parameter import conflict, parameter
from .run_spec import GradientSpec
from .sections import EvaluationSection

TextFormat = Literal["auto", "text", "prompt-completion", "messages", "conversations", "alpaca"]


class TextDataSection(WeightedDataSection):
    """Rows of text, prompts with completions, or chats."""

    format: TextFormat = parameter("auto", "What a row is; auto looks.", level="beginner")
    column_mapping: dict[str, str] = parameter(
        {},
        "Which column plays which part, such as {prompt: question, completion: answer}.",
        level="beginner",
    )
    prompt_template: str | None = parameter(
        None, "Prompt built from columns, such as 'Question: {question}'."
    )
    completion_template: str | None = parameter(None, "Completion built from columns.")
    prompt_function: str | None = parameter(
        None, "Your own function, file.py:name, that turns a row into a prompt. It is run."
    )
    completion_function: str | None = parameter(
        None, "Your own function, file.py:name, that turns a row into a completion. It is run."
    )
    system_prompt: str | None = parameter(None, "System message put before every chat.")

    @model_validator(mode="after")
    def _one_source(self) -> TextDataSection:
        for part in ("prompt", "completion"):
            template, function = f"{part}_template", f"{part}_function"
            if getattr(self, template) and getattr(self, function):
                raise conflict(f"data.{function}", f"choose {template} or {function}, not both")
            source = getattr(self, function)
            if source and ".py:" not in source:
                raise conflict(f"data.{function}", "is written file.py:name")
        prompt = self.prompt_template or self.prompt_function
        if prompt and not (
            self.completion_template
            or self.completion_function
            or "completion" in self.column_mapping
        ):
            raise conflict(
                "data.completion_template",
                "a prompt template or function needs a completion template, function or column",
            )
        return self


class TextEvaluationSection(EvaluationSection):
    """Loss, perplexity, token accuracy, and texts written for fixed prompts."""

    sample_prompts: list[str] = parameter(
        [], "Prompts answered at every evaluation; silent: the first validation rows."
    )
    samples: int = parameter(
        3, "How many validation rows are answered when no prompts are given.", ge=0, le=100
    )
    sample_max_new_tokens: int = parameter(64, "Longest answer.", unit="tokens", ge=1)


class TextSpec(GradientSpec):
    """A run of a causal language model."""

    data: TextDataSection = parameter(meaning="The rows.", level="beginner")
    peft: PeftSection = parameter(PeftSection(), "Which parameters are trained.")
    evaluation: TextEvaluationSection = parameter(TextEvaluationSection(), "How it is measured.")
