"""What every data section has: where the rows are, how they are split, what columns mean."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from .parameter import Section, conflict, parameter


class DataSection(Section):
    """Where the rows come from, and which of them are measured on."""

    path: str = parameter(
        meaning="A csv, tsv, jsonl, json, parquet, arrow or SQLite file, a folder of {split} "
        "files, or a hub id.",
        level="beginner",
        example="data/train.jsonl",
        min_length=1,
    )
    subset: str | None = parameter(None, "Configuration of a hub dataset.")
    revision: str | None = parameter(None, "Branch, tag or commit of a hub dataset.")
    train_split: str = parameter(
        "train", "Split to train on; of a SQLite file its table.", min_length=1
    )
    validation_split: str | None = parameter(
        None, "Split to measure on; silent: validation, valid, dev or test when there is one."
    )
    validation_fraction: float = parameter(
        0.1,
        "Share of the training rows set aside for measuring when there is no such split.",
        ge=0,
        lt=1,
        level="beginner",
    )
    split_seed: int = parameter(42, "Seed of that share.", ge=0)
    max_rows: int | None = parameter(None, "Use only the first rows.", unit="rows", ge=1)
    column_mapping: dict[str, str] = parameter(
        {},
        "Which column plays which part, such as {text: review, label: stars}; silent: guessed.",
        level="beginner",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_weight_is_ignored(cls, values: Any) -> Any:
        given = isinstance(values, dict) and values.get("weight_column") is not None
        if given and "weight_column" not in cls.model_fields:
            text = "the loss of this task has no weights for rows; leave it out"
            raise conflict("data.weight_column", text)
        return values

    @property
    def row_weights(self) -> str | None:
        """The column with each row's weight in the loss; None where rows have none."""
        return None


class WeightedDataSection(DataSection):
    """Rows of which some may count more than others."""

    weight_column: str | None = parameter(
        None, "Column with each row's weight in the loss; 0 leaves a row out."
    )

    @property
    def row_weights(self) -> str | None:
        return self.weight_column
