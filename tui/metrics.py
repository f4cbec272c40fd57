"""Which metrics belong into one chart, which come first, and which direction is better."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_FIRST = ("loss", "rewards/margins", "reward", "mean_token_accuracy", "accuracy", "learning_rate")
# Figures about the run rather than the model: drawn when asked for.
_LAST = re.compile(
    r"epoch|num_tokens|num_input_tokens_seen|(.*_)?(runtime|per_second|compilation_time)"
)
_MEASURED = "eval_"
_LOWER = re.compile(r"loss|perplexity|error|runtime|\b(wer|cer|mae|mse|rmse|kl)\b|entropy", re.I)
_HIGHER = re.compile(
    r"acc|f1|precision|recall|auc|bleu|rouge|meteor|\br2\b|reward|margin|\bmap\b|iou|exact|per_second",
    re.I,
)


@dataclass(frozen=True)
class Panel:
    """What one chart shows: a metric of training and its twin from evaluations.

    ``name`` is the metric's, without ``eval_``.
    """

    name: str
    metrics: tuple[str, ...]

    @property
    def title(self) -> str:
        """The metrics in words."""
        return " + ".join(self.metrics)


def panels(names: Iterable[str]) -> list[Panel]:
    """The metrics as charts, the most telling first."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.removeprefix(_MEASURED), []).append(name)
    ordered = sorted(found, key=lambda name: (_place(name), list(found).index(name)))
    return [Panel(name, tuple(sorted(found[name], key=is_measured))) for name in ordered]


def single_panels(names: Iterable[str]) -> list[Panel]:
    """Every metric as a chart of its own, the most telling first."""
    return [Panel(name, (name,)) for panel in panels(names) for name in panel.metrics]


def chosen_panels(known: Sequence[Panel], wanted: Sequence[str] | None, most: int) -> list[Panel]:
    """The charts to draw: those ``wanted`` by name, or else the first few."""
    if wanted is None:
        plain = {panel.name: panel.name.removeprefix(_MEASURED) for panel in known}
        return [panel for panel in known if _place(plain[panel.name]) <= len(_FIRST)][:most]
    by_name = {panel.name: panel for panel in known}
    return [by_name[name] for name in wanted if name in by_name]


def better(name: str) -> Literal["low", "high", ""]:
    """Whether low or high values of a metric are good; empty when that is not known."""
    plain = re.sub(r"[_/]", " ", name)
    if _LOWER.search(plain):
        return "low"
    return "high" if _HIGHER.search(plain) or _HIGHER.search(name) else ""


def best(name: str, values: Mapping[str, float | None]) -> set[str]:
    """Which runs have the best value of a metric; none where they all agree."""
    known = {run: value for run, value in values.items() if value is not None}
    direction = better(name)
    if not direction or len(set(known.values())) < 2:
        return set()
    wanted = min(known.values()) if direction == "low" else max(known.values())
    return {run for run, value in known.items() if value == wanted}


def is_measured(name: str) -> bool:
    """Whether a metric comes from evaluations rather than from training."""
    return name.startswith(_MEASURED)


def is_minor(name: str) -> bool:
    """Whether a metric is about the run's speed or size rather than the model."""
    return _LAST.fullmatch(name.removeprefix(_MEASURED)) is not None


def _place(name: str) -> int:
    if name in _FIRST:
        return _FIRST.index(name)
    return len(_FIRST) + is_minor(name)
