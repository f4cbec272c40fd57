"""Choosing a preset, with word on whether each fits the model and the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.timer import Timer
from textual.widgets import OptionList, Static

from luthier.presets import Preset

from ..asking import Wait
from ..memory import fits_words, suits_words
from ..screens.dialog import Choice, ChooseDialog

if TYPE_CHECKING:
    from luthier.agent.models import EstimateReply

NONE = "-"
_AFTER_SECONDS = 0.15


class PresetDialog(ChooseDialog):
    """A list of presets; beside it what the one with the cursor is for, and whether it fits.

    Args:
        known: the presets.
        current: name of the one that holds now; empty: none.
        sets: what a preset sets, in a line.
        values: the form's values with a preset, or None when nothing can be estimated yet.
    """

    def __init__(
        self,
        known: Sequence[Preset],
        current: str,
        *,
        sets: Callable[[Preset], str],
        values: Callable[[Preset | None], dict[str, Any] | None],
    ) -> None:
        choices = [Choice(NONE, "None", "Every setting keeps its default.")]
        for preset in known:
            about = f"{preset.description}\n\n{sets(preset)}"
            choices.append(Choice(preset.name, preset.title, about))
        super().__init__("Preset", choices, current or NONE)
        self._presets = {preset.name: preset for preset in known}
        self._abouts = {choice.id: choice.about for choice in choices}
        self._values = values
        self._wait: Wait[EstimateReply] | None = None
        self._timer: Timer | None = None

    @on(OptionList.OptionHighlighted)
    def _judge_soon(self, event: OptionList.OptionHighlighted) -> None:
        if self._timer is not None:
            self._timer.stop()
        name = event.option_id or NONE
        self._timer = self.set_timer(_AFTER_SECONDS, lambda: self._judge(name))

    def _judge(self, name: str) -> None:
        if self._wait is not None:
            self._wait.cancel()
        values = self._values(self._presets.get(name))
        if values is None:
            return
        client = self.luthier.client_in_time

        def ended(wait: Wait[EstimateReply]) -> None:
            self.call_later(self._judged, name, wait)

        self._wait = Wait(lambda: client().estimate(values, source="form"), ended, "")
        self._wait.start()

    def _judged(self, name: str, wait: Wait[EstimateReply]) -> None:
        """Show the verdict above what the preset is for; without one there is nothing to say."""
        if wait.is_cancelled or wait.answer is None or not self.is_mounted:
            return
        size = self.luthier.interface.size
        lines = [fits_words(wait.answer, size)]
        if name in self._presets:
            lines += suits_words(self._presets[name], wait.answer)
        for about in self.query("#about").results(Static):
            about.update("\n".join([*lines, "", self._abouts[name]]))
