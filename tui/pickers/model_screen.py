"""Picking the base model: what is on this machine, or any id."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from luthier.trainers import demo

from .browse import Wanted
from .lines import Line, model_lines, suggested_line
from .models import (
    FoundModel,
    cached_models,
    folder_models,
    hub_cache,
    run_models,
)
from .picker import PickerScreen


class ModelScreen(PickerScreen):
    """The models of this machine.

    Args:
        current: the model that is chosen now.
        then: told the model that is chosen.
        suggested: a hub id that suits the task, shown though it may not be here yet.
    """

    TITLE = "base model"
    WANTED: ClassVar[Wanted] = "model"
    PLACEHOLDER = "words of a name, a hub id as owner/name, or a folder as ./ ~/ /"

    def __init__(
        self, current: str | None, then: Callable[[str], None], suggested: str = ""
    ) -> None:
        super().__init__(current)
        self._suggested = suggested
        self._then = then
        self._found: list[FoundModel] = []
        self._left = threading.Event()

    def on_mount(self) -> None:
        """Look through this machine."""
        self.table.focus()
        runs, base, left = self.luthier.home.runs, self._base, self._left
        self.ask(
            lambda client: find_models(runs, base, left.is_set),
            self._take_found,
            doing="looking for models",
        )
        self.show_lines()

    def _take_found(self, found: list[FoundModel]) -> None:
        self._found = found
        self.show_lines()

    def found_lines(self, typed: str) -> list[Line]:
        """Models with the words in their name, and the one that suits the task."""
        offline = self.interface.offline
        lines = model_lines(self._found, typed, self._base, offline=offline)
        name = self._suggested
        fits = all(word in name.lower() for word in typed.lower().split())
        if name and fits and name not in {line.key for line in lines}:
            lines.append(suggested_line(name, offline=offline))
        return lines

    def chosen(self, value: str) -> None:
        """Hand the model on, and go back."""
        self._left.set()
        self._then(value)
        self.luthier.leave_screen()

    def leave_waits(self) -> bool:
        """End the search too."""
        self._left.set()
        return super().leave_waits()


def find_models(runs: Path, base: Path, stop: Callable[[], bool]) -> list[FoundModel]:
    """Every model that a person may mean: cached ones, results, folders below ``base``, the demo's.

    Args:
        runs: the home's run folders.
        base: folder that is searched a few levels deep.
        stop: asked now and then whether to end early.
    """
    found = [*cached_models(hub_cache(os.environ)), *run_models(runs)]
    known = {model.name for model in found}
    for folder in (base, demo.MODEL):
        for model in folder_models(folder, stop=stop):
            if model.name not in known:
                known.add(model.name)
                found.append(model)
    return found
