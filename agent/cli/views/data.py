"""A dataset as ``data inspect`` found it."""

from __future__ import annotations

from rich.text import Text

from luthier.trainers.data.report import InspectReport, RenderedRow, SplitReport

from ... import text
from ..invocation import Invocation
from .tables import add_row, facts, plain_table

_LONGEST_SHOWN = 2000
_SHOWN_CLASSES = 20


def show(here: Invocation, report: InspectReport) -> None:
    """Everything in the report: what it is, its columns, its problems and two of its rows."""
    if report.train:
        here.console.print(facts(_facts(report)))
    if report.columns:
        table = plain_table("column", "type", ">empty", "example")
        for column in report.columns:
            example = text.one_line(column.example, 60)
            add_row(table, column.name, column.type, str(column.nulls), example)
        here.console.print(table)
    for row in report.rows:
        here.say("")
        here.console.print(_row(here, row), soft_wrap=True)
    for warning in report.warnings:
        here.say(f"warning: {text.one_line(str(warning), 1000)}", "yellow")
    for problem in report.problems:
        here.remark(f"error: {text.one_line(str(problem), 1000)}", style="red")


def _facts(report: InspectReport) -> list[tuple[str, str]]:
    parts = ", ".join(f"{part} from {column}" for part, column in report.parts.items())
    made = " (set aside from the training rows)" if report.validation_made else ""
    chat = ", as chats" if report.chat else ""
    return [
        ("data", report.source),
        ("task", report.task),
        ("format", f"{report.format}{chat}" if report.format else ""),
        ("parts", parts),
        ("training", _split(report.train, report.limit)),
        ("validation", _split(report.validation, report.limit) + made if report.validation else ""),
        ("classes", _classes(report)),
        ("tokenizer", report.model or ""),
        ("fingerprint", report.fingerprint or ""),
    ]


def _classes(report: InspectReport) -> str:
    counts = sorted(report.classes.get("train", {}).items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name} {count}" for name, count in counts[:_SHOWN_CLASSES])
    left = len(counts) - _SHOWN_CLASSES
    return f"{shown} and {left} more" if left > 0 else shown


def _split(split: SplitReport | None, limit: int | None) -> str:
    if split is None:
        return ""
    parts = [text.count(split.rows, "row")]
    if split.used != split.rows:
        parts.append(f"{split.used} of them used")
    if lengths := split.lengths:
        parts.append(
            f"{lengths.minimum} to {lengths.maximum} {lengths.unit} "
            f"(half up to {lengths.median}, 95% up to {lengths.p95})"
        )
    if split.too_long:
        share = split.too_long / max(1, split.used)
        parts.append(f"{split.too_long} ({share:.0%}) longer than {limit} and cut")
    return ", ".join(parts)


def _row(here: Invocation, row: RenderedRow) -> Text:
    """The row with the trained part in colour, or in double brackets where there is no colour."""
    coloured = here.console.color_system is not None and not here.console.no_color
    length = "" if row.tokens is None else f", {text.count(row.tokens, 'token')}"
    cut = ", cut" if row.cut else ""
    how = "green" if coloured else "[[ ]]"
    drawn = Text(f"{row.where}{length}{cut} (trained on: {how})\n", style="dim", end="")
    for segment in row.segments:
        shown = text.printable(segment.text[:_LONGEST_SHOWN])
        if len(segment.text) > _LONGEST_SHOWN:
            shown += "..."
        if not segment.trained:
            drawn.append(shown, style="not dim")
        elif coloured:
            drawn.append(shown, style="green not dim")
        else:
            body = shown.rstrip("\n")
            drawn.append(f"[[{body}]]{shown[len(body) :]}", style="not dim")
    return drawn
