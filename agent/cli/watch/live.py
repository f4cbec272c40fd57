"""A run drawn in place on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ... import text
from ..views.tables import STATE_STYLES
from .lines import progress_text, warning_text
from .picture import Picture

_MOST_METRICS = 5
_MOST_WARNINGS = 3


class LiveView:
    """Draws the picture anew whenever rich asks."""

    def __init__(self, picture: Picture, *, unicode: bool) -> None:
        self.picture = picture
        self._unicode = unicode

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield Group(*self._parts(options.max_width))

    def _parts(self, width: int) -> Iterator[RenderableType]:
        picture = self.picture
        run = picture.run
        head = Text.assemble(
            (run.name, "bold"), "  ", run.task, "  ", (run.id, "dim"), "  ",
            (run.state.value, STATE_STYLES[run.state.value]),
        )  # fmt: skip
        yield head
        if run.reason and not run.state.finished:
            yield Text(run.reason, style="dim")
        phase = picture.phase or run.phase
        if phase:
            detail = f": {picture.detail}" if picture.detail else ""
            yield Text(text.one_line(phase + detail, width), style="cyan")
        if picture.total:
            drawn = text.bar(picture.step, picture.total, width, unicode=self._unicode)
            yield Text(drawn, style="blue")
            yield Text(progress_text(picture))
        if picture.metrics:
            yield self._metrics(width)
        yield from self._remarks(width)

    def _metrics(self, width: int) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True, overflow="crop")
        table.add_column(justify="right", no_wrap=True, overflow="crop")
        table.add_column(no_wrap=True, overflow="crop")
        shown = self.picture.shown_metrics(_MOST_METRICS)
        names = max(len(name) for name, _ in shown) if shown else 0
        for name, values in shown:
            line = text.sparkline(values, width - names - 16, unicode=self._unicode)
            table.add_row(name, text.number(values[-1]), Text(line, style="green"))
        return table

    def _remarks(self, width: int) -> Iterator[RenderableType]:
        picture = self.picture
        if picture.sample:
            prompt = text.one_line(picture.sample.prompt, width - 8)
            answer = text.one_line(picture.sample.text, width - 8)
            yield Text.assemble(("asked   ", "dim"), prompt)
            yield Text.assemble(("answer  ", "dim"), answer)
        if picture.checkpoint:
            yield Text(f"checkpoint at step {picture.checkpoint.step}", style="dim")
        for warning in picture.warnings[-_MOST_WARNINGS:]:
            line = text.one_line(f"warning: {warning_text(warning)}", width)
            yield Text(line, style="yellow")
        if not picture.run.state.finished:
            yield Text("ctrl-c leaves; the run goes on", style="dim")
