"""Predictions of runs whose task has no chat."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .base import StrictModel


class PredictRequest(StrictModel):
    """Predict from ``rows``, or from what ``input`` names; exactly one of the two."""

    input: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None,
        description="A text, or the absolute path of a table, picture or folder; or several.",
    )
    rows: list[dict[str, Any]] | None = Field(
        default=None, description="Values by part, as the task's inputs name them."
    )

    cpu: bool = Field(default=False, description="Predict on the CPU, whatever else there is.")

    @model_validator(mode="after")
    def _one_source(self) -> PredictRequest:
        if (self.input is None) == (self.rows is None):
            raise ValueError("give either input or rows")
        return self


class PredictChunk(StrictModel):
    """A piece of a prediction. The first has ``total``, the last ``finish``, the others a result.

    ``where`` names the input's place in its file.
    """

    total: int | None = None
    index: int | None = None
    where: str = ""
    input: dict[str, Any] = {}
    prediction: dict[str, Any] | None = None
    finish: Literal["done", "cancelled", "error"] | None = None
    error: str = ""
    mistake: bool = Field(default=False, description="The error lies in what was given.")
    seconds: float | None = None
