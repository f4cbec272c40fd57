"""Runs side by side, as plain data: where their settings differ, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.agent.models import Run, SeriesInfo
from luthier.agent.text import duration, number

from .metrics import best, better, is_measured, is_minor, single_panels

_NAMES = ("name",)


def flattened(spec: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The settings of a spec by dotted key. Lists are values; so are empty mappings."""
    found: dict[str, Any] = {}
    for key, value in spec.items():
        dotted = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            found |= flattened(value, f"{dotted}.")
        else:
            found[dotted] = value
    return found


def differences(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The settings that are not the same in all specs: by key, the value of each run in words."""
    flat = {run: flattened(spec) for run, spec in specs.items()}
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    found = {}
    for key in keys:
        values = [settings.get(key) for settings in flat.values()]
        if key not in _NAMES and any(value != values[0] for value in values):
            found[key] = {
                run: in_words(settings[key]) if key in settings else "-"
                for run, settings in flat.items()
            }
    return found


def in_words(value: Any) -> str:
    """A value as a spec file has it, on one line."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {in_words(each)}" for key, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "none"
    return str(value)


class Results:
    """The last values of every metric, the best ones, and how the runs ended.

    Args:
        runs: in their order.
        infos: the metrics of each run, by its id.
    """

    def __init__(self, runs: Sequence[Run], infos: Mapping[str, Sequence[SeriesInfo]]) -> None:
        self.cells: dict[str, dict[str, str]] = {}
        self.best: dict[str, set[str]] = {}
        self._add_facts(runs)
        names = dict.fromkeys(name for run in runs for name in run.last_metrics)
        for panel in single_panels(names):
            last = {run.id: run.last_metrics.get(panel.name) for run in runs}
            self._add(panel.name, panel.name, last)
            if is_measured(panel.name) and better(panel.name) and not is_minor(panel.name):
                self._add_extreme(panel.name, infos)

    def _add_facts(self, runs: Sequence[Run]) -> None:
        self.cells["state"] = {run.id: run.state.value for run in runs}
        self.cells["steps"] = {run.id: f"{run.progress.step:,}" for run in runs}
        took = {
            run.id: run.ended_at - run.started_at
            for run in runs
            if run.started_at is not None and run.ended_at is not None
        }
        self.cells["took"] = {run_id: duration(seconds) for run_id, seconds in took.items()}

    def _add_extreme(self, name: str, infos: Mapping[str, Sequence[SeriesInfo]]) -> None:
        """The best value at any time, which need not be the last."""
        low = better(name) == "low"
        known = {
            run_id: info.minimum if low else info.maximum
            for run_id, found in infos.items()
            for info in found
            if info.name == name
        }
        if known:
            self._add(f"{'lowest' if low else 'highest'} {name}", name, known)

    def _add(self, title: str, name: str, values: Mapping[str, float | None]) -> None:
        known = {run_id: value for run_id, value in values.items() if value is not None}
        self.cells[title] = {run_id: number(value) for run_id, value in known.items()}
        self.best[title] = best(name, known)
