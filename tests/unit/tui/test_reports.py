"""Reports of evaluations: kept by name, and drawn as tables."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len

from luthier.agent.models import StoredEvent
from luthier.trainers.events import ReportEvent
from luthier.tui.report_view import report_lines
from luthier.tui.state import ClientState
from luthier.tui.trying import prediction_lines


def _report(step: int, **fields: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": "confusion_matrix",
        "title": "Confusion matrix",
        "form": "matrix",
        "columns": ["", "good", "bad"],
        "rows": [["good", 3, 0], ["bad", 1, 12]],
        **fields,
    }
    return ReportEvent(step=step, **values).model_dump(mode="json")


def _plain(lines: list[Any]) -> list[str]:
    return ["".join(text for text, _ in row) for _, row in lines]


def test_the_newest_report_of_a_name_is_kept() -> None:
    state = ClientState()
    state.of("run")
    state.take_events("run", [_report(20), _report(20, name="worst")])
    # What happened before is read after what came live.
    state.take_history("run", [StoredEvent(number=1, attempt=1, event=_report(10))])
    reports = state.of("run").reports
    assert {name: report["step"] for name, report in reports.items()} == {
        "confusion_matrix": 20,
        "worst": 20,
    }


def test_a_table_stands_in_columns() -> None:
    lines = report_lines([_report(1500), _report(1, rows=[])])
    title, heads, *rows = _plain(lines)
    assert title == "Confusion matrix  step 1,500"
    assert heads.split() == ["good", "bad"]
    assert [row.split() for row in rows] == [["good", "3", "0"], ["bad", "1", "12"]]
    assert len({cell_len(row) for row in (heads, *rows)}) == 1
    styles = {text.strip(): style for _, row in lines[2:] for text, style in row}
    # Right, wrong, and nothing.
    assert (styles["12"], styles["1"], styles["0"]) == ("good", "warning", "label")


def test_a_prediction_names_the_likeliest_first() -> None:
    prediction = {"label": "sea", "score": 0.75, "scores": {"sky": 0.25, "sea": 0.75}}
    lines = _plain(
        [([], [*head, *row]) for head, row in prediction_lines({"text": "a"}, prediction)]
    )
    assert [line.split() for line in lines if line.strip()] == [
        ["text", "a"],
        ["label", "sea"],
        ["score", "0.75"],
        ["sea", "0.750"],
        ["sky", "0.250"],
    ]
