"""Something long to read, scrolled with the keys that scroll everywhere."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.containers import VerticalScroll

from ..bindings import bindings


class Pane(VerticalScroll, can_focus=True):
    """A VerticalScroll with j, k, g and G beside the arrows."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("scroll")]
