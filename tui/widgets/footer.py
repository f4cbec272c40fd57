"""The last line: the few keys that matter most here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import ActiveBinding
from textual.widget import Widget

from ..bindings import key_of

if TYPE_CHECKING:
    from textual.screen import Screen

    from ..app import LuthierApp

_NARROW_MOST = 6
_NARROW = 100


def chosen(
    active: dict[str, ActiveBinding], labels: Mapping[str, str] | None = None
) -> list[tuple[str, str, str]]:
    """Key, label and action of what belongs into the footer, the most important first.

    Args:
        labels: by id, what stands in the place of the table's label.
    """
    labels = labels or {}
    found: dict[str, tuple[int, str, str, str]] = {}
    for key, (_, binding, enabled, _) in active.items():
        entry = key_of(binding.id)
        place = entry.footer if entry else 50
        if binding.show and enabled and place and binding.action not in found:
            label = labels.get(binding.id or "", binding.description)
            found[binding.action] = (place, key, label, binding.action)
    return [(key, label, action) for _, key, label, action in sorted(found.values())]


def fitting(widths: list[int], room: int, most: int) -> set[int]:
    """Which of the entries fit into ``room`` cells, at most ``most`` of them.

    The last two (help and leave) come first: they lead to everything else.
    """
    count = len(widths)
    order = [*range(max(0, count - 2), count), *range(max(0, count - 2))]
    taken: set[int] = set()
    for index in order:
        if len(taken) < most and sum(widths[each] for each in taken) + widths[index] <= room:
            taken.add(index)
    return taken


class KeyLine(Widget):
    """Keys with what they do; a click presses the key."""

    DEFAULT_CSS = """
    KeyLine { height: 1; background: $panel; color: $foreground; }
    """
    ALLOW_SELECT = False

    _shown = ""

    def on_mount(self) -> None:
        """Follow the keys that are active."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        # Most changes leave the line as it is, which then costs nothing on a slow connection.
        if self._line().plain != self._shown:
            self.refresh()

    def render(self) -> Text:
        """The line."""
        line = self._line()
        self._shown = line.plain
        return line

    def _line(self) -> Text:
        app = cast("LuthierApp", self.app)
        entries = chosen(self.screen.active_bindings, getattr(self.screen, "labels", None))
        shown = [(key, app.key_name(key), label) for key, label, _ in entries]
        widths = [len(name) + len(label) + 3 for _, name, label in shown]
        width = self.size.width
        most = _NARROW_MOST if width < _NARROW else len(shown)
        taken = fitting(widths, width, most)
        key_style = app.look("footer-key-foreground") + Style(bold=True)
        line = Text(no_wrap=True)
        for index, (key, name, label) in enumerate(shown):
            if index in taken:
                meta = Style(meta={"key": key})
                line.append(f" {name} ", key_style + meta)
                line.append(f"{label} ", meta)
        return line

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked on."""
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)
