"""The sections of runs on tables of numbers and words."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from .data_section import WeightedDataSection
from .parameter import Section, conflict, parameter
from .run_spec import RunSpec

USAGE = """\
import json
import pandas
import skops.io

folder = "."  # this folder, or where you have downloaded it
about = json.load(open(f"{folder}/config.json"))
model = skops.io.load(f"{folder}/model.skops", trusted=about["types"])

row = $features
frame = pandas.DataFrame([row], columns=about["numbers"] + about["words"], dtype=object)
frame = frame.fillna(float("nan"))
frame[about["numbers"]] = frame[about["numbers"]].astype(float)
found = model.predict(frame).reshape(-1)
for name, value in zip(about["targets"], found):
    print(name, about["classes"][name][int(value)] if about["classes"] else value)
"""
"""What a card says about loading a result."""

# They learn from all rows alike.
WITHOUT_WEIGHTS = ("knn",)


class TabularDataSection(WeightedDataSection):
    """Rows of a table; every column that plays no other part is looked at."""

    categorical_columns: list[str] = parameter(
        [], "Columns whose values are names, also when they look like numbers."
    )
    numerical_columns: list[str] = parameter(
        [], "Columns whose values are numbers; what cannot be read as one counts as missing."
    )
    ignored_columns: list[str] = parameter([], "Columns that are not looked at.")

    @model_validator(mode="after")
    def _one_kind(self) -> TabularDataSection:
        both = sorted(set(self.categorical_columns) & set(self.numerical_columns))
        if both:
            raise conflict(
                "data.numerical_columns", f"{both[0]} is among data.categorical_columns too"
            )
        return self


class SearchSection(Section):
    """How the best settings are searched; every trial is cross-validated."""

    num_trials: int = parameter(
        20,
        "Combinations tried; the first ones are each model's own defaults.",
        level="beginner",
        unit="trials",
        ge=1,
        group="search",
    )
    time_limit: float = parameter(
        600,
        "No trial begins after so long; the best one so far is taken.",
        level="beginner",
        unit="seconds",
        gt=0,
        group="search",
    )
    folds: int = parameter(
        5, "Parts that the training rows are cut into for each trial.", ge=2, le=50, group="search"
    )
    prune: bool = parameter(
        True, "Give a trial up after a fold that is worse than most before it.", group="search"
    )
    seed: int = parameter(42, "Seed of every random choice.", ge=0, lt=2**32, group="search")
    numerical_imputer: Literal["median", "mean", "most_frequent", "constant"] = parameter(
        "median", "What stands in for a missing number; constant is 0.", group="columns"
    )
    categorical_imputer: Literal["most_frequent", "constant"] = parameter(
        "most_frequent", "What stands in for a missing word; constant is a word of its own.",
        group="columns",
    )  # fmt: skip
    numeric_scaler: Literal["none", "standard", "minmax", "maxabs", "robust"] = parameter(
        "standard", "How numbers are brought to one scale.", group="columns"
    )
    categorical_encoder: Literal["one_hot", "ordinal", "target"] = parameter(
        "one_hot",
        "How words become numbers: a column each, their rank, or the target's mean.",
        group="columns",
    )
    rare_categories: int = parameter(
        2, "Words seen in fewer rows are taken together (one_hot).", unit="rows", ge=1,
        group="columns",
    )  # fmt: skip
    importance_repeats: int = parameter(
        5,
        "How often each column is shuffled to see how much the model needs it; 0: never.",
        ge=0,
        le=100,
        group="report",
    )


class TabularEvaluationSection(Section):
    """How the result is measured on rows that it was not trained on."""

    worst_examples: int = parameter(10, "Rows with the worst predictions to name.", ge=0, le=1000)


class TabularSpec(RunSpec):
    """A run on a table."""

    data: TabularDataSection = parameter(meaning="The rows.", level="beginner")
    evaluation: TabularEvaluationSection = parameter(
        TabularEvaluationSection(), "How it is measured."
    )

    @property
    def starts_from(self) -> str:
        return ", ".join(self.estimators)

    @property
    def estimators(self) -> tuple[str, ...]:
        """The kinds of model that are tried."""
        raise NotImplementedError

    @property
    def seed(self) -> int:
        return self.search.seed

    @property
    def stacking(self) -> bool:
        """Whether the best of each kind answer together."""
        raise NotImplementedError

    @property
    def search(self) -> SearchSection:
        """The search's settings."""
        raise NotImplementedError

    @property
    def balanced(self) -> bool:
        """Whether rare classes count more."""
        return False

    @model_validator(mode="after")
    def _weights_need_estimators_that_take_them(self) -> TabularSpec:
        weighted = self.balanced or self.data.weight_column is not None
        key = "training.class_weight" if self.balanced else "data.weight_column"
        unable = [name for name in WITHOUT_WEIGHTS if name in self.estimators]
        if weighted and unable:
            raise conflict(key, f"{unable[0]} takes no weights; leave it out of model.estimators")
        if weighted and self.stacking:
            raise conflict(key, "stacking takes no weights; set model.ensemble to none")
        if self.stacking and len(self.estimators) < 2:
            raise conflict("model.ensemble", "stacking needs two or more model.estimators")
        return self
