"""What a run has found out: reports on the run screen, and the key that leads to its result."""

from __future__ import annotations

import json
from typing import Any

import pytest
from textual.widgets import Input

from luthier.tui.screens.run import RunScreen
from luthier.tui.widgets.report_pane import ReportPane

pytestmark = pytest.mark.anyio

_CLASSES = [f"kind of violin {number}" for number in range(30)]
_MATRIX = {
    "name": "confusion_matrix",
    "title": "Confusion matrix",
    "form": "matrix",
    "columns": ["", *_CLASSES],
    "rows": [[name, *range(place, place + 30)] for place, name in enumerate(_CLASSES)],
}
_LONG = "It is said that the varnish makes the sound, and that nobody knows the recipe any more."
_WORST = {
    "name": "worst",
    "title": "Rows most wrong",
    "columns": ["row", "input", "right", "predicted", "probability of the right one"],
    "rows": [[f"data/letters.jsonl:{row}", f"{row} {_LONG}", "yes", "no", 0.01] for row in (1, 2)],
}


def _headings(luthier: Any) -> str:
    """The line of column numbers, the only one without letters that begins with a number."""
    return next(
        (line for line in luthier.lines if line.split()[:1] and line.split()[0].isdigit()
         and not any(map(str.isalpha, line))),
        "",
    )  # fmt: skip


async def test_wide_reports_are_read_and_the_result_is_for_trying(curves: Any, opened: Any) -> None:
    run = curves.submit(
        "kinds", steps=20, like={"task": "text-classification"}, reports=[_MATRIX, _WORST]
    )
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        await luthier.sees("✓ kinds", "t try it")
        assert "chat" not in luthier.lines[-1]
        luthier.app.open_run(run)
        await luthier.until(lambda: isinstance(luthier.app.screen, RunScreen))
        await luthier.press("7")
        await luthier.sees("Confusion matrix", "columns 1 to", "of 30", "t try it", "more columns")
        pane = luthier.app.screen.query_one(ReportPane)
        await luthier.press("l")
        await luthier.sees("columns 2 to")
        # The headings stay above the rows of the table.
        heads = next(line[:70] for line in luthier.lines if line.split()[:3] == ["2", "3", "4"])
        await luthier.press(*"jjjjjj")
        await luthier.until(lambda: "Confusion matrix" not in luthier.text)
        assert any(line.startswith(heads) for line in luthier.lines)
        await luthier.press(*["l"] * 14)
        await luthier.until(lambda: "29 30" in _headings(luthier))
        await luthier.press("h")
        await luthier.until(
            lambda: "28 29" in (heads := _headings(luthier)) and "29 30" not in heads
        )
        await luthier.press("G")
        await luthier.sees("varnish makes", "recipe any")
        await luthier.press("y")
        await luthier.told("reports")
        copied = (curves.agent.home.path / "clipboard.txt").read_text()
        assert f"1 {_LONG}" in copied
        assert all(name in copied for name in _CLASSES)
        await luthier.resize(120, 40)
        assert "more columns" not in luthier.lines[-1]
        assert pane.bar[1] - pane.bar[0] < 1
        await luthier.press("ctrl+p")
        await luthier.type("try")
        await luthier.sees("Try it (t)", "Try kinds")


async def test_a_table_has_a_field_for_each_column(curves: Any, opened: Any) -> None:
    run = curves.submit("grades", steps=2, like={"task": "tabular-classification", "model": {}})
    curves.agent.ended(run)
    rows = [{f"column {n}": None if n == 1 else n * row for n in range(30)} for row in (1, 2)]
    preflight = curves.agent.home.run(run).preflight
    async with opened(size=(80, 24)) as luthier:
        await luthier.live()
        luthier.app.open_chat([run])
        await luthier.sees("The columns are not known here")
        await luthier.press("enter")
        await luthier.press("escape")
        await luthier.sees("✓ grades")
        preflight.write_text(json.dumps({"sample_inputs": [{"features": row} for row in rows]}))
        luthier.app.open_chat([run])
        await luthier.sees("column 0", "column 2")
        screen = luthier.app.screen
        await luthier.until(lambda: screen.values["column 29"] == "29")
        assert screen.values["column 1"] == ""
        assert isinstance(luthier.app.focused, Input)
        await luthier.press("ctrl+n")
        await luthier.until(lambda: screen.values["column 29"] == "58")
        # The fields that do not fit are reached too.
        await luthier.press(*["tab"] * 29)
        await luthier.sees("column 29", "58")
