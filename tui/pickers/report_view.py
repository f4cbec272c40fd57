"""What a look at a dataset found, drawn for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from luthier.agent.text import count, one_line, printable
from luthier.trainers.data.report import InspectReport, RenderedRow, SplitReport

_LONGEST_SHOWN = 2000
_PROBLEM = 600
_NAME = 24


@dataclass(frozen=True)
class Looks:
    """How things are drawn. Without colours, ``trained`` is None: brackets stand instead."""

    problem: Style
    warning: Style
    trained: Style | None


def report_view(report: InspectReport, looks: Looks, *, note: str = "") -> RenderableType:
    """Format, columns, problems, and rows as the model will see them.

    Args:
        note: a sentence about how the rows are shown.
    """
    parts: list[RenderableType] = [_facts(report)]
    parts += [_problem(str(problem), looks.problem) for problem in report.problems]
    parts += [_problem(str(warning), looks.warning) for warning in report.warnings]
    if report.columns:
        parts += [Text("\nColumns", "bold"), _columns(report)]
    if report.rows:
        how = "in colour" if looks.trained else "in [[ ]]"
        unit = "" if report.model else ", before the model's template"
        parts.append(Text(f"\nRows as the model will see them{unit}; trained on: {how}", "bold"))
        parts += [_row(row, looks.trained) for row in report.rows]
    if note:
        parts.append(Text(f"\n{note}", "dim"))
    return Group(*parts)


def verdict(report: InspectReport) -> str:
    """In a few words, whether a run could start."""
    if report.problems:
        return f"{count(len(report.problems), 'problem')} to mend"
    warnings = f", {count(len(report.warnings), 'warning')}" if report.warnings else ""
    return f"ready to train on{warnings}"


def _facts(report: InspectReport) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in _fact_rows(report):
        if value:
            grid.add_row(name, Text(printable(value)))
    return grid


def _fact_rows(report: InspectReport) -> Iterator[tuple[str, str]]:
    chat = ", as chats" if report.chat else ""
    yield "data", report.source
    yield "format", f"{report.format}{chat}" if report.format else "none fits"
    yield "parts", ", ".join(f"{part} from {column}" for part, column in report.parts.items())
    yield "training", _split(report.train, report.limit)
    made = " (set aside from the training rows)" if report.validation_made else ""
    yield "validation", _split(report.validation, report.limit) + made if report.validation else ""
    yield "tokenizer", report.model or ""


def _split(split: SplitReport | None, limit: int | None) -> str:
    if split is None:
        return ""
    parts = [count(split.rows, "row")]
    if split.used != split.rows:
        parts.append(f"{split.used} of them used")
    if lengths := split.lengths:
        spread = f"{lengths.minimum} to {lengths.maximum} {lengths.unit}"
        parts.append(f"{spread}, half up to {lengths.median}")
    if split.too_long:
        share = split.too_long / max(1, split.used)
        parts.append(f"{split.too_long} ({share:.0%}) longer than {limit} and cut")
    return ", ".join(parts)


def _problem(sentence: str, style: Style) -> Text:
    return Text(f"! {one_line(sentence, _PROBLEM)}", style)


def _columns(report: InspectReport) -> RenderableType:
    played = {column: part for part, column in report.parts.items()}
    table = Table(box=None, pad_edge=False, header_style="dim")
    longest = max(len(column.name) for column in report.columns)
    part = max(map(len, played.values()), default=0)
    # So that the example takes what is left, and nothing of the names.
    for title, least in (("column", longest), ("part", part), ("type", 0), ("empty", 0)):
        table.add_column(title, no_wrap=True, min_width=min(max(6, least), _NAME))
    table.add_column("for example", no_wrap=True, overflow="ellipsis")
    for column in report.columns:
        cells = (
            column.name,
            played.get(column.name, ""),
            column.type,
            str(column.nulls or ""),
            one_line(column.example, 200),
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _row(row: RenderedRow, trained: Style | None) -> Text:
    length = "" if row.tokens is None else f", {count(row.tokens, 'token')}"
    drawn = Text(f"\n{row.where}{length}{', cut' if row.cut else ''}\n", "dim")
    for segment in row.segments:
        shown = printable(segment.text[:_LONGEST_SHOWN])
        if len(segment.text) > _LONGEST_SHOWN:
            shown += "..."
        if not segment.trained:
            drawn.append(shown, "not dim")
        elif trained:
            drawn.append(shown, trained + Style(dim=False))
        else:
            body = shown.rstrip("\n")
            drawn.append(f"[[{body}]]{shown[len(body) :]}", "not dim")
    drawn.rstrip()
    return drawn
