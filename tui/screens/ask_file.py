"""Asking which file to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.screen import Screen

from .base import LuthierScreen
from .confirm import ConfirmScreen


def ask_file(
    screen: LuthierScreen, dialog: Screen[str | None], write: Callable[[Path], None]
) -> None:
    """Let ``dialog`` ask for a path; one that exists is only replaced when the person says so.

    Args:
        write: called with the absolute path, unless the person thought better of it.
    """

    def named(text: str | None) -> None:
        if not text:
            return
        path = Path(text).expanduser().absolute()
        if path.exists():
            question = ConfirmScreen(f"Replace {path.name}?", str(path.parent), yes="Replace")
            screen.app.push_screen(question, lambda yes: write(path) if yes else None)
        else:
            write(path)

    screen.app.push_screen(dialog, named)
