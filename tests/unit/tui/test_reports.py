"""Reports of evaluations: kept by name, and drawn as tables."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from luthier.agent.models import StoredEvent
from luthier.trainers.events import ReportEvent
from luthier.tui.glyphs import ASCII, UNICODE
from luthier.tui.report_table import table_of
from luthier.tui.report_view import report_rows, report_text
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
    found, beyond = report_rows([_report(1500), _report(1, rows=[])], 79, 0, UNICODE)
    assert beyond == 0
    title, heads, *rows = ["".join(text for text, _ in each.row) for each in found]
    assert title == "Confusion matrix  step 1,500"
    assert heads.split() == ["good", "bad"]
    assert [row.split() for row in rows] == [["good", "3", "0"], ["bad", "1", "12"]]
    assert len({cell_len(row) for row in (heads, *rows)}) == 1
    styles = {text.strip(): style for each in found[2:] for text, style in each.row}
    # Right, wrong, and nothing.
    assert (styles["12"], styles["1"], styles["0"]) == ("good", "warning", "label")


def _matrix(classes: int) -> dict[str, Any]:
    names = [f"kind of thing {place}" for place in range(classes)]
    rows = [[name, *range(place, place + classes)] for place, name in enumerate(names)]
    return _report(1, columns=["", *names], rows=rows)


def test_a_matrix_of_many_classes_has_numbers_in_the_place_of_names() -> None:
    table = table_of(_matrix(10), 79, 0, UNICODE)
    (heads,) = table.heads
    assert "".join(text for text, _ in heads).split() == [str(n) for n in range(1, 11)]
    assert "".join(text for text, _ in table.rows[9]).startswith("10 kind of thing 9")


def test_each_class_of_a_matrix_can_be_reached() -> None:
    begin, end = (table_of(_matrix(30), 79, skipped, ASCII) for skipped in (0, 99))
    assert (begin.first, begin.count) == (1, 30)
    assert begin.last < 30
    assert (end.first, end.last) == (begin.beyond + 1, 30)


def test_bars_are_as_long_as_the_measure() -> None:
    rows: list[list[Any]] = [["age", 0.5, 0.1], ["height", 0.25, 0.1], ["name", -0.1, 0.0]]
    columns = ["column", "loss", "spread"]
    table = table_of(_report(1, form="bars", columns=columns, rows=rows), 60, 0, ASCII)
    lengths = [len(row[-1][0]) for row in table.rows]
    assert lengths == [30, 15, 0]


_TEXTS = st.text(st.sampled_from("ab漢é… "), max_size=120)
_CELLS = st.one_of(_TEXTS, st.integers(-9999, 10**9), st.none(), st.floats(width=32))


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 12))
    columns = draw(st.lists(_TEXTS, min_size=count, max_size=count))
    row = st.lists(_CELLS, min_size=count, max_size=count)
    form = draw(st.sampled_from(["table", "matrix", "bars", "curve"]))
    rows = draw(st.lists(row, min_size=1, max_size=4))
    if form == "bars":
        rows = [[each[0], 1.0, *each[2:]] if count > 1 else each for each in rows]
        form = form if count > 1 else "table"
    return _report(1, form=form, columns=columns, rows=rows)


@settings(max_examples=60, deadline=None)
@given(_tables(), st.integers(30, 140))
def test_a_table_fits_and_nothing_of_it_is_lost(report: dict[str, Any], width: int) -> None:
    seen: dict[int, None] = {}
    beyond = report_rows([report], width, 0, UNICODE)[1]
    for skipped in range(beyond + 1):
        for each in report_rows([report], width, skipped, UNICODE)[0]:
            assert sum(cell_len(text) for text, _ in each.row) <= width
        table = table_of(report, width, skipped, UNICODE)
        seen |= dict.fromkeys(range(table.first, table.last + 1))
    count = len(report["columns"]) - 1
    assert count == 0 or set(seen) == set(range(1, count + 1))
    if not beyond and report["form"] == "table":
        shown = "".join(text for row in table.rows for text, _ in row)
        whole = "".join(report_text([{**report, "note": ""}], UNICODE).splitlines()[2:])
        assert sorted(shown.replace(" ", "")) == sorted(whole.replace(" ", ""))


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
