"""The keys of the screen below, and what leaving means."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ..bindings import bindings
from ..keys import TABLE

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..app import LuthierApp

_TITLES = {"app": "Everywhere", "screen": "Everywhere", "list": "In lists", "scroll": "Scrolling"}
_ORDER = ("Here", "In lists", "Scrolling", "Everywhere")
_LEAVING = (
    "q leaves a screen; on the list of runs it closes Luthier. Runs go on: the agent looks after "
    "them, and they are here when you come back."
)


def _heading(title: str) -> Text:
    return Text(f"\n{title}", "bold")


def _table() -> Table:
    """Keys, what they do, and the ids that key profiles name."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", min_width=12)
    table.add_column(ratio=1)
    table.add_column(style="dim", no_wrap=True)
    table.expand = True
    return table


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

    def _text(self, active: dict[str, ActiveBinding]) -> RenderableType:
        """Every key of the sections that are active; dim what cannot be done just now."""
        app = cast("LuthierApp", self.app)
        owners = {key: binding.id or "" for key, (_, binding, _, _) in active.items()}
        sections = dict.fromkeys(owner.split(".")[0] for owner in owners.values())
        groups: dict[str, Table] = {}
        for section in [each for each in TABLE if each in sections]:
            title = _TITLES.get(section, "Here")
            table = groups.setdefault(title, _table())
            for name, entry in TABLE[section].items():
                binding_id = f"{section}.{name}"
                keys = [key for key in app.all_keys_of(binding_id)
                        if owners.get(key, binding_id) == binding_id]  # fmt: skip
                if keys:
                    names = " or ".join(app.key_name(key) for key in keys)
                    look = "" if binding_id in owners.values() else "dim"
                    table.add_row(names, Text(entry.help, look), binding_id)
        shown = [(title, groups[title]) for title in _ORDER if title in groups]
        return Group(*(part for title, table in shown for part in (_heading(title), table)))

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
