"""Hard negatives: texts of other rows that the base model takes for the right ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset
from sentence_transformers.util import mine_hard_negatives

from ..engine.job import Job
from ..errors import Problem, SpecError
from ..run_folder import write_json
from .settings import MinedTraining

FILE = "hard_negatives.json"
_CANDIDATES = 50


def with_hard_negatives(
    job: Job[Any],
    model: Any,
    texts: Mapping[str, Sequence[str]],
    prompts: Mapping[str, str],
    batch_size: int,
) -> dict[str, list[str]]:
    """The columns with a column for each negative; kept in the run's folder for when it resumes.

    Rows that have not as many negatives as are asked for are left out, with a warning. Margins
    that leave only what is clearly wrong are those of Moreira and others 2024, NV-Retriever.

    Args:
        texts: two columns: what is looked with, and what is right.
        prompts: what is put before the texts of a column.

    Raises:
        SpecError: no row has as many.
    """
    place = job.run.path / FILE
    training: MinedTraining = job.spec.training
    key = {"data": job.fingerprint, **training.model_dump(include=_SETTINGS)}
    if place.exists():
        kept = json.loads(place.read_text(encoding="utf-8"))
        if kept["made_for"] == key:
            columns: dict[str, list[str]] = kept["columns"]
            return columns
    job.reporter.phase("mining", "hard negatives")
    columns = _mined(training, model, texts, prompts, batch_size)
    first = next(iter(texts))
    left_out = len(texts[first]) - len(columns[first])
    if not columns[first]:
        text = (
            f"no row has {training.hard_negatives} texts that are similar and yet less so than its "
            "own by training.hard_negatives_margin; lower one of them"
        )
        raise SpecError([Problem(text, "training.hard_negatives")])
    if left_out > 0:
        text = f"{left_out} training rows have too few hard negatives and are left out"
        job.reporter.warn(text, "training.hard_negatives")
    if job.reporter.main:
        write_json(place, {"made_for": key, "columns": columns})
    return columns


_SETTINGS = {"hard_negatives", "hard_negatives_skip", "hard_negatives_margin"}


def _mined(
    training: MinedTraining,
    model: Any,
    texts: Mapping[str, Sequence[str]],
    prompts: Mapping[str, str],
    batch_size: int,
) -> dict[str, list[str]]:
    first, second = texts
    count, skip = training.hard_negatives, training.hard_negatives_skip
    found = mine_hard_negatives(
        Dataset.from_dict({name: list(values) for name, values in texts.items()}),
        model,
        anchor_column_name=first,
        positive_column_name=second,
        num_negatives=count,
        range_min=skip,
        range_max=skip + max(count, _CANDIDATES),
        relative_margin=training.hard_negatives_margin,
        query_prompt=prompts.get(first, ""),
        corpus_prompt=prompts.get(second, ""),
        output_format="n-tuple",
        batch_size=batch_size,
        verbose=False,
    )
    return {name: list(found[name]) for name in found.column_names}
