"""One answer: plain text while it is written, Markdown once it is whole."""

from __future__ import annotations

from collections.abc import Iterable

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Label, Markdown, Static

from luthier.agent.text import printable

_TAIL = 4000
_TAIL_STEP = 1000


def markdown_parser() -> MarkdownIt:
    """Markdown that loses nothing a model wrote: line ends stay, and HTML is text."""
    parser = MarkdownIt("gfm-like", {"html": False, "linkify": False})
    parser.core.ruler.push("line_ends", _keep_line_ends)
    return parser


def _keep_line_ends(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"


def tail(text: str) -> str:
    """The end of a long text that is being written; drawing all of it at each look takes long.

    Where it begins moves seldom, so that lines mostly stay as they are broken.
    """
    if len(text) <= _TAIL:
        return text
    return "..." + text[(len(text) - _TAIL) // _TAIL_STEP * _TAIL_STEP :]


class AnswerView(Vertical):
    """What one voice says, with its name above and a line about it below.

    Args:
        name: who says it.
        kind: a class for its looks: ``base``, ``adapter`` or ``expected``.
        raw: show the text letter by letter instead of as Markdown.
    """

    def __init__(self, name: str, kind: str, *, raw: bool = False) -> None:
        super().__init__(classes=f"answer -{kind}")
        self._speaker = name
        self._raw = raw
        self._text: str | None = None
        self._shown = ""

    def compose(self) -> Iterable[Widget]:
        """Name, text, and the line about it."""
        yield Label(printable(self._speaker), classes="name", markup=False)
        yield Static("", classes="plain", markup=False)
        yield Static("", classes="figures", markup=False)

    def show_part(self, text: str, about: str) -> None:
        """Show what there is so far; draws only what changed."""
        if text != self._shown:
            self._shown = text
            self.query_one(".plain", Static).update(printable(tail(text)))
        self._about(about)

    def show(self, text: str, about: str, error: str = "") -> None:
        """Show the whole answer."""
        self._text = text
        self._about("\n".join(each for each in (about, error) if each), failed=bool(error))
        self._draw()

    def set_raw(self, raw: bool) -> None:
        """Show it letter by letter, or as Markdown."""
        self._raw = raw
        if self._text is not None:
            self._draw()

    def _draw(self) -> None:
        text, plain = self._text or "", self.query_one(".plain", Static)
        as_markdown = bool(text.strip()) and not self._raw
        self.query(Markdown).remove()
        plain.display = bool(text) and not as_markdown
        if as_markdown:
            whole = Markdown(printable(text), parser_factory=markdown_parser, open_links=False)
            self.mount(whole, after=plain)
        else:
            self._shown = text
            plain.update(printable(text))

    def _about(self, words: str, *, failed: bool = False) -> None:
        line = self.query_one(".figures", Static)
        if str(line.content) != words:
            line.update(printable(words))
        line.set_class(failed, "-failed")
        line.display = bool(words)
