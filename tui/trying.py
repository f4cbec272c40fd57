"""What the "Try it" screen says, as rows of styled text, and what it asks the agent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.agent.models import PredictRequest
from luthier.agent.text import one_line
from luthier.trainers.data.files import READERS
from luthier.trainers.data.image_folders import pictures
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
    if not inputs.roles:
        return [{name: _field(value) for name, value in _cells(row).items()} for row in rows]
    wanted = (*inputs.roles, *inputs.optional)
    return [{role: _field(row[role]) for role in wanted if role in row} for row in rows]


def _cells(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The columns that a model of tables was trained on; each table has its own."""
    found: Mapping[str, Any] = row.get("features", {})
    return found


def _field(value: Any) -> str:
    """A value as it is written into a field; several pictures as JSON."""
    if value is None:
        return ""
    several = isinstance(value, list) and any(Path(str(each)).is_absolute() for each in value)
    return json.dumps(value) if several else as_text(value)


Predicted = list[tuple[dict[str, str], dict[str, Any]]]
"""Inputs as texts by role, with what the model says about each."""


def predict(client: Client, run: str, inputs: Inputs, values: Mapping[str, str]) -> Predicted:
    """The predictions for what the fields hold. Raises LuthierError when there are none.

    A field for a picture takes a folder or a table of pictures too, and a JSON list: several
    pictures of one row where the task has other parts, several rows where it has not.
    """
    written = {role: text for role, text in values.items() if text.strip()}
    # A cell of a table may be empty; it is a cell all the same.
    request = request_for(inputs, dict(values) if written and not inputs.roles else written)
    found: Predicted = []
    for chunk in client.predict(run, request):
        if chunk.prediction is not None:
            shown = {role: as_text(value) for role, value in chunk.input.items()}
            found.append((shown, chunk.prediction))
        elif chunk.finish is not None and (chunk.finish != "done" or not found):
            raise LuthierError(chunk.error or "There was no prediction.")
        elif chunk.finish is not None:
            return found
    raise LuthierError("The prediction broke off.")


def request_for(inputs: Inputs, values: dict[str, str]) -> PredictRequest:
    """What the agent is asked for those values by role. Raises LuthierError when some lack."""
    missing = [role for role in inputs.roles if role not in values]
    if not inputs.roles and not values:
        raise LuthierError("Write the row first.")
    if missing:
        raise LuthierError(f"Write the {missing[0]} first.")
    if inputs.kind != "image":
        return PredictRequest(rows=[values])
    role = inputs.roles[0]
    path = Path(values[role].strip()).expanduser()
    if path.suffix.lower() in READERS and path.is_file():
        return PredictRequest(input=str(path.absolute()))
    held = _pictures(path, values[role])
    alone = len((*inputs.roles, *inputs.optional)) == 1
    one_row: list[Any] = [held if len(held) > 1 else held[0]]
    each_row = held if alone or path.is_dir() else one_row
    return PredictRequest(rows=[inputs.from_here({**values, role: it}) for it in each_row])


def _pictures(path: Path, text: str) -> list[str]:
    """The pictures that a field names. Raises LuthierError when it names none."""
    if path.is_dir():
        found = sorted(str(each) for each in pictures(path, deep=True))
    elif text.lstrip().startswith("["):
        try:
            found = [str(each) for each in json.loads(text)]
        except ValueError as error:
            raise LuthierError("The list of pictures is not valid JSON.") from error
    else:
        found = [text.strip()]
    if not found:
        raise LuthierError(f"{path} has no pictures in it.")
    return found


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
