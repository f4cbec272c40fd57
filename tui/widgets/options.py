"""A list of choices with the keys that every list has."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.widgets import OptionList

from ..bindings import bindings


class Options(OptionList):
    """An OptionList without a frame, with j, k, g and G beside the arrows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(each for each in bindings("list") if each.id not in ("list.select", "list.mark")),
        *bindings("choose"),
    ]
    DEFAULT_CSS = """
    Options {
        border: none; padding: 0; background: $background; height: 1fr;
        &:focus { border: none; background-tint: transparent 0%; }
        & > .option-list--option-disabled { color: $text-primary; text-style: bold; }
    }
    """

    def action_cursor(self, lines: int) -> None:
        """Move by a line; the ends are ends."""
        if lines > 0 and self.highlighted == self._last_choice:
            return
        if lines < 0 and self.highlighted == self._first_choice:
            return
        if lines > 0:
            self.action_cursor_down()
        else:
            self.action_cursor_up()

    def action_page(self, pages: int) -> None:
        """Move by half a page."""
        for _ in range(max(1, self.size.height // 2)):
            self.action_cursor(pages)

    @property
    def _first_choice(self) -> int | None:
        return next((n for n, each in enumerate(self.options) if not each.disabled), None)

    @property
    def _last_choice(self) -> int | None:
        return next(
            (n for n, each in reversed([*enumerate(self.options)]) if not each.disabled), None
        )

    @property
    def current(self) -> str | None:
        """The id of the line with the cursor."""
        return None if self.highlighted is None else self.get_option_at_index(self.highlighted).id

    def go_to(self, option_id: str | None) -> None:
        """Put the cursor on that line, or on the first that can be chosen."""
        known = {option.id: index for index, option in enumerate(self.options)}
        if option_id is not None and option_id in known:
            self.highlighted = known[option_id]
        elif self.options:
            self.action_first()
