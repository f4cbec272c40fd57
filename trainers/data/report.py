"""What a look at a dataset found, as it is kept with a run and shown to people."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from ..errors import Problem


class LengthReport(BaseModel):
    """How long rows are: tokens where a tokenizer was at hand, else characters."""

    unit: Literal["tokens", "characters"]
    minimum: int
    median: int
    p95: int = Field(description="95 rows of 100 are no longer than this.")
    maximum: int


class ColumnReport(BaseModel):
    """One column as it is in the training rows."""

    name: str
    type: str = Field(description="text, number, true/false, messages, list, mapping, ...")
    nulls: int = Field(description="Rows in which it is empty or absent.")
    example: str = Field(description="The first value that is not empty, shortened.")


class SplitReport(BaseModel):
    """One split: where it came from, how much of it is used, how long its rows are."""

    name: str
    rows: int
    used: int = Field(description="Rows that are not empty.")
    lengths: LengthReport | None = None
    too_long: int = Field(0, description="Rows over the limit that will be cut.")


class Segment(BaseModel):
    """A stretch of a row as the model sees it."""

    text: str
    trained: bool = Field(description="The model learns to write it.")


class SamplePrompt(BaseModel):
    """A prompt with the answer that the dataset gives, to try the trained model on."""

    prompt: str = Field(description="What the user says last.")
    messages: list[dict[str, Any]] = Field(description="The whole prompt as a chat.")
    expected: str


class PreflightReport(BaseModel):
    """A dataset that can be trained on, with everything a person should know about it."""

    source: str
    fingerprint: str
    format: str
    parts: dict[str, str] = Field(description="Which column plays which part.")
    columns: list[ColumnReport]
    train: SplitReport
    validation: SplitReport | None = None
    validation_made: bool = False
    warnings: list[Problem] = Field(default_factory=list)
    sample_prompts: list[SamplePrompt] = Field(default_factory=list)
    classes: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="How often each class occurs, by split."
    )
    sample_inputs: list[dict[str, Any]] = Field(
        default_factory=list, description="Rows by part, to try the trained model on."
    )


class RenderedRow(BaseModel):
    """A row as the model sees it."""

    where: str
    tokens: int | None = Field(None, description="Its length before it is cut.")
    cut: bool = Field(False, description="Longer than the limit; the segments end there.")
    segments: list[Segment]


class InspectReport(BaseModel):
    """What `data inspect` shows: everything found, problems included."""

    source: str
    task: str
    model: str | None = Field(None, description="Whose tokenizer was used.")
    format: str | None = Field(None, description="Null when no format fits.")
    parts: dict[str, str] = Field({}, description="Which column plays which part.")
    chat: bool = Field(False, description="Rows are chats, or are turned into chats.")
    columns: list[ColumnReport] = []
    train: SplitReport | None = None
    validation: SplitReport | None = None
    validation_made: bool = False
    fingerprint: str | None = None
    limit: int | None = Field(None, description="Tokens of a row that are trained on.")
    classes: dict[str, dict[str, int]] = Field(
        {}, description="How often each class occurs, by split."
    )
    problems: list[Problem] = []
    warnings: list[Problem] = []
    rows: list[RenderedRow] = []
