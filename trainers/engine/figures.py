"""The figures of a result, out of what its trainer logged. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..events import finite


def figures_of(history: Sequence[dict[str, Any]], best: int | None) -> dict[str, float | None]:
    """The figures of the model that is kept.

    Args:
        history: what the trainer logged.
        best: the step whose model was kept, None for the last.
    """
    figures: dict[str, Any] = {}
    for entry in history:
        figures |= {name: entry[name] for name in ("train_loss", "num_tokens") if name in entry}
    evaluations = [entry for entry in history if "eval_loss" in entry]
    if best is not None:
        evaluations = [entry for entry in evaluations if entry["step"] == best]
    if evaluations:
        figures |= {name: evaluations[-1][name] for name in evaluations[-1] if _is_measured(name)}
    return finite(figures)


def _is_measured(name: str) -> bool:
    return name.startswith("eval_") and name != "eval_num_tokens"
