"""What the "Try it" screen says, as rows of styled text, and what it asks the agent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.agent.models import PredictRequest
from luthier.agent.text import one_line
from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import Inputs

from .plot.drawing import Row

if TYPE_CHECKING:
    from luthier.agent.client import Client

Line = tuple[Row, Row]
_SHOWN = 500


def examples(client: Client, run: str, inputs: Inputs) -> list[dict[str, str]]:
    """Rows of the run's own data that can be tried, as texts by role."""
    known = {info.path for info in client.files(run)}
    if "preflight.json" not in known:
        return []
    report = json.loads(b"".join(client.download(run, "preflight.json")))
    rows = report.get("sample_inputs", [])
    wanted = (*inputs.roles, *inputs.optional)
    return [{role: as_text(row[role]) for role in wanted if role in row} for row in rows]


def predict(client: Client, run: str, inputs: Inputs, values: Mapping[str, str]) -> dict[str, Any]:
    """The prediction for one input. Raises LuthierError when there is none."""
    row = inputs.from_here({role: text for role, text in values.items() if text.strip()})
    missing = [role for role in inputs.roles if role not in row]
    if missing:
        raise LuthierError(f"Write the {missing[0]} first.")
    for chunk in client.predict(run, PredictRequest(rows=[row])):
        if chunk.prediction is not None:
            return chunk.prediction
        if chunk.finish is not None:
            raise LuthierError(chunk.error or "There was no prediction.")
    raise LuthierError("The prediction broke off.")


def _whole(inputs: Inputs, text: str) -> str:
    """A picture's path from the root: whoever predicts works in another folder."""
    return str(Path(text.strip()).expanduser().absolute()) if inputs.kind == "image" else text


def prediction_lines(values: Mapping[str, str], prediction: Mapping[str, Any]) -> list[Line]:
    """An input and what the model says about it."""
    lines: list[Line] = [
        ([(f"{role:>12}  ", "label")], [(one_line(text, _SHOWN), "")])
        for role, text in values.items()
        if text
    ]
    for name, value in prediction.items():
        if isinstance(value, dict):
            lines += _shares(value)
        else:
            lines.append(([(f"{name:>12}  ", "label")], [(as_text(value), "good")]))
    return [*lines, ([], [])]


def _shares(values: Mapping[str, Any]) -> list[Line]:
    ranked = sorted(values.items(), key=lambda item: -float(item[1]))
    return [([(f"{name:>12}  ", "label")], [(f"{float(v):.3f}", "value")]) for name, v in ranked]


def as_text(value: Any) -> str:
    """A value of a row or prediction in a line; the words of a list with spaces between."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False)
