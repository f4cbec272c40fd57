"""The keys of the screen below, and what leaving means."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ..bindings import bindings, key_of

if TYPE_CHECKING:
    from ..app import LuthierApp

_TITLES = {"app": "Everywhere", "screen": "Everywhere", "list": "In lists", "scroll": "Scrolling"}
_ORDER = ("Here", "In lists", "Scrolling", "Everywhere")
_LEAVING = (
    "q leaves a screen; on the list of runs it closes Luthier. Runs go on: the agent looks after "
    "them, and they are here when you come back."
)


class HelpScreen(ModalScreen[None]):
    """All keys that work on the screen below, by id for key profiles."""

    CSS_PATH = "../styles/help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("scroll"),
        *bindings("help"),
    ]

    def compose(self) -> ComposeResult:
        """The list, which scrolls."""
        below = self.app.screen_stack[-2]
        with VerticalScroll(id="help"):
            yield Static(f"Keys: {below.title or 'here'}", classes="title", markup=False)
            yield Static(self._text(below.active_bindings), id="keys")
            yield Static(_LEAVING, id="leaving", markup=False)

    def _text(self, active: dict[str, ActiveBinding]) -> Text:
        groups: dict[str, dict[str, list[str]]] = {}
        for key, (_, binding, _, _) in active.items():
            if key_of(binding.id):
                title = _TITLES.get((binding.id or "").split(".")[0], "Here")
                keys = groups.setdefault(title, {}).setdefault(binding.id or "", [])
                keys.append(cast("LuthierApp", self.app).key_name(key))
        text = Text()
        for title in sorted(groups, key=_ORDER.index):
            text.append(f"\n{title}\n", "bold")
            for binding_id, names in groups[title].items():
                entry = key_of(binding_id)
                text.append(f"  {' or '.join(names):<16}", "bold")
                text.append(f" {entry.help if entry else ''}")
                text.append(f"  {binding_id}\n", "dim")
        return text

    def action_scroll_down(self) -> None:
        """One line down."""
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def action_scroll_up(self) -> None:
        """One line up."""
        self.query_one(VerticalScroll).scroll_up(animate=False)

    def action_page_down(self) -> None:
        """One page down."""
        self.query_one(VerticalScroll).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """One page up."""
        self.query_one(VerticalScroll).scroll_page_up(animate=False)

    def action_scroll_home(self) -> None:
        """To the top."""
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        """To the bottom."""
        self.query_one(VerticalScroll).scroll_end(animate=False)

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss()
