"""How busy and how full a host is, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.widgets import Static

from luthier.agent.models import HostReport

from ..glyphs import Glyphs
from ..machine_view import host_title, meters
from ..settings import InterfaceSettings

if TYPE_CHECKING:
    from ..app import LuthierApp

_LABEL = 8
_WORDS = 28
_BAR_MOST = 60


class HostMeters(Static):
    """Title, three bars, and what is wrong with the host."""

    def __init__(self) -> None:
        super().__init__("looking at the hardware", classes="muted")

    def show(self, report: HostReport, glyphs: Glyphs, interface: InterfaceSettings) -> None:
        """Draw the report."""
        self.remove_class("muted")
        width = max(10, min(_BAR_MOST, self.size.width - _LABEL - _WORDS))
        text = Text(glyphs.cut(host_title(report), self.size.width), style="bold")
        for meter in meters(report, interface):
            look = cast("LuthierApp", self.app).look(f"text-{meter.kind}")
            text.append(f"\n{meter.label:<{_LABEL}}")
            text.append(glyphs.bar(meter.share, 1.0, width), look)
            text.append(f"  {meter.words}")
        for problem in report.problems:
            text.append(f"\n{glyphs.warning} {' '.join(problem.split())}", "bold")
        self.update(text)

    def show_problem(self, words: str) -> None:
        """Say why there are no figures."""
        self.update(Text(words))
