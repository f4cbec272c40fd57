"""Predictions for rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..data.cells import is_blank
from ..errors import LuthierError
from ..predicting.predictor import Predictor
from ..run_folder import RunFolder
from .features import as_frame
from .measuring import answers
from .results import load


class TabularPredictor(Predictor):
    """A pipeline of scikit-learn; it runs on the CPU."""

    batch_size = 1000

    def __init__(self, run: RunFolder, device: str) -> None:
        super().__init__(run, device)
        if not run.model.exists():
            raise LuthierError(f"{run.run_id} has no result yet.", hint="Wait for its end.")
        self.model, self.about = load(run.model)

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        cells = [_cells(row) for row in rows]
        self._check(cells)
        targets = self.about.as_targets()
        given = answers(self.model, as_frame(cells, self.about.features), targets)
        return [
            self._prediction([answer[place] for answer in given], targets.names)
            for place in range(len(rows))
        ]

    def _check(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """A column that no row has is more likely misspelt than missing everywhere."""
        there = {name for row in rows for name in row}
        missing = [name for name in self.about.features.names if name not in there]
        if missing:
            raise LuthierError(
                f"The rows have no column {missing[0]!r}, which the model was trained on.",
                hint=f"It takes: {', '.join(self.about.features.names)}.",
            )

    def _prediction(self, answer: list[Any], names: Sequence[str]) -> dict[str, Any]:
        """One target answers in place of a mapping by target."""
        found: dict[str, Any] = {}
        shares: dict[str, dict[str, float]] = {}
        for name, value in zip(names, answer, strict=True):
            classes = self.about.classes.get(name)
            if classes is None:
                found[name] = float(value)
            else:
                found[name] = classes[int(value.argmax())]
                shares[name] = {
                    each: float(share) for each, share in zip(classes, value, strict=True)
                }
        if len(names) == 1:
            only = names[0]
            if not shares:
                return {"label": found[only]}
            return {"label": found[only], "scores": shares[only]}
        return {"label": found, "scores": shares} if shares else {"label": found}


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells by column; a record of the data has them under ``features``."""
    features = row.get("features")
    given = features if isinstance(features, Mapping) else row
    return {name: None if is_blank(value) else value for name, value in given.items()}
