"""The memory that the form's run would take, part by part, against what is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from luthier.agent.models import EstimateReply

from ..memory import ASCII_FILLS, FILLS, Offer, legend, offers, pieces, source, summary

if TYPE_CHECKING:
    from ..app import LuthierApp

_COLOURS = ("primary", "warning", "secondary", "accent", "success", "error")
_LEAST_BAR, _MOST_BAR = 10, 40


class MemoryBar(Static):
    """A bar with its legend, and changes behind the keys 1 to 5.

    Attributes:
        offers: the changes that are offered now.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    MemoryBar { height: 3; padding: 0 1; border-top: solid $panel; display: none; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.offers: list[Offer] = []
        self._reply: EstimateReply | None = None

    def show(self, reply: EstimateReply, auto_key: str) -> None:
        """Draw an estimate; ``auto_key`` is the key that lets Auto choose."""
        self._reply = reply
        app = cast("LuthierApp", self.app)
        glyphs, size = app.glyphs, app.interface.size
        self.offers = offers(reply, size, glyphs.check, glyphs.cross)
        width = max(20, self.size.width - 2)
        text = self._bar(reply, width)
        text.append("\n")
        text.append_text(self._below(reply, auto_key, width))
        self.update(text, layout=False)

    def say(self, words: str) -> None:
        """A sentence instead of an estimate."""
        self._reply, self.offers = None, []
        self.update(Text(words, style="dim"), layout=False)

    def _bar(self, reply: EstimateReply, width: int) -> Text:
        app = cast("LuthierApp", self.app)
        words = summary(reply, app.interface.size)
        room = min(_MOST_BAR, width - len(words) - 2)
        text = Text()
        if room >= _LEAST_BAR:
            looks = self._looks(reply)
            for piece in pieces(reply.estimate, reply.device.free, room):
                fill, look = looks.get(piece.key, (app.glyphs.dot, Style(dim=True)))
                text.append(fill * piece.cells, look)
            text.append("  ")
        text.append(app.glyphs.cut(words, width), "" if reply.fits else app.look("text-error"))
        return text

    def _below(self, reply: EstimateReply, auto_key: str, width: int) -> Text:
        """The changes when memory is short, else the parts."""
        app = cast("LuthierApp", self.app)
        text = Text()
        bold = Style(bold=True)
        auto = (f"{auto_key} ", "let Auto choose", bold)
        if reply.fits:
            # What is offered then is only a matter of pace; the parts tell more.
            looks = self._looks(reply)
            seen = [
                part for part in reply.estimate.parts if part.bytes * 100 > reply.estimate.total
            ]
            shown = reply.estimate.model_copy(update={"parts": seen})
            entries = [
                (words[:2], words[2:], looks[key][1])
                for key, words in legend(shown, app.interface.size, self._fills)
            ]
        else:
            entries = [(f"{each.key} ", each.words, bold) for each in self.offers]
        left = width - _length(auto)
        for entry in entries:
            if _length(entry) + 2 > left:
                break
            left -= _length(entry) + 2
            text.append(entry[0], entry[2]).append(f"{entry[1]}  ")
        text.append(auto[0], auto[2]).append(auto[1])
        rest = f"  {app.glyphs.dot} {source(reply)}"
        if left >= len(rest):
            text.append(rest, "dim")
        return text

    @property
    def _fills(self) -> str:
        return FILLS if cast("LuthierApp", self.app).glyphs.unicode else ASCII_FILLS

    def _looks(self, reply: EstimateReply) -> dict[str, tuple[str, Style]]:
        app = cast("LuthierApp", self.app)
        parts = sorted(reply.estimate.parts, key=lambda part: -part.bytes)
        return {
            part.key: (fill, app.look(f"text-{_COLOURS[number % len(_COLOURS)]}"))
            for number, (part, fill) in enumerate(zip(parts, self._fills, strict=False))
        }


def _length(entry: tuple[str, str, Style]) -> int:
    return len(entry[0]) + len(entry[1])
