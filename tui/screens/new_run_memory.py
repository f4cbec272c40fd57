"""The memory of the run that is being set up: estimated while values change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType

from luthier.trainers.errors import LuthierError

from ..bindings import bindings
from ..memory import estimable, fit_lines, settings_keys
from ..widgets.memory_bar import MemoryBar
from .new_run_dialogs import FormDialogs

if TYPE_CHECKING:
    from textual.timer import Timer

    from luthier.agent.models import EstimateReply, FitReply

    from ..asking import Wait

_AFTER_SECONDS = 0.25


class FormMemory(FormDialogs):
    """The form with its memory bar; NewRunScreen is the whole screen."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("memory")]

    def __init__(self) -> None:
        super().__init__()
        self._estimated: dict[str, Any] | None = None
        self._estimating: Wait[EstimateReply] | None = None
        self._estimate_timer: Timer | None = None

    @property
    def memory_bar(self) -> MemoryBar:
        """The bar."""
        return self.query_one(MemoryBar)

    # -- estimating ----------------------------------------------------------------------------

    def estimate_soon(self) -> None:
        """Estimate once the values have rested for a moment."""
        if self._estimate_timer is not None:
            self._estimate_timer.stop()
        self._estimate_timer = self.set_timer(_AFTER_SECONDS, self._estimate)

    def estimate_anew(self) -> None:
        """Estimate also when the values are the same: something else changed."""
        self._estimated = None
        self.estimate_soon()

    def _estimate(self) -> None:
        if self._form is None:
            return
        values = estimable(self.form)
        if values is None:
            self._estimated = None
            self.memory_bar.say(f"memory: {self._why_no_estimate()}")
            return
        if values == self._estimated:
            return
        self._estimated = values
        if self._estimating is not None:
            self._estimating.cancel()
        self._estimating = self.ask(
            lambda client: client.estimate(values, source="form"),
            self._show_estimate,
            failed=self._no_estimate,
        )

    def _why_no_estimate(self) -> str:
        if not self.form.has("model.name_or_path"):
            return "there is no estimate for this task"
        waiting = self.form.value("model.name_or_path") is None
        return f"{'choose a model' if waiting else 'mend what is wrong'} to see what it takes"

    def _say_why_not(self) -> None:
        why = self._why_no_estimate()
        self.notify(f"{why[:1].upper()}{why[1:]}.", severity="warning")

    def _show_estimate(self, reply: EstimateReply) -> None:
        self.memory_bar.show(reply, self.luthier.keys_of("memory.auto"))

    def _no_estimate(self, error: LuthierError) -> None:
        self._estimated = None
        self.memory_bar.say(f"memory: {error}")

    # -- changing ------------------------------------------------------------------------------

    def action_alternative(self, number: int) -> None:
        """Make the change that the bar offers behind the key."""
        for offer in self.memory_bar.offers:
            if offer.key == str(number):
                self._take(offer.settings)
                self.notify(offer.words, title="Changed", markup=False)

    def action_auto(self) -> None:
        """Ask Auto what fits, and show its reasons."""
        values = estimable(self.form)
        if values is None:
            self._say_why_not()
            return
        self.ask(
            lambda client: client.fit(values, source="form"),
            self._offer_fit,
            doing="finding what fits",
        )

    def _offer_fit(self, reply: FitReply) -> None:
        from ..pickers.preset_fit import FitDialog

        def answered(take: bool | None) -> None:
            if take:
                self._take(reply.settings)

        lines = fit_lines(reply, self.interface.size)
        self.app.push_screen(FitDialog(lines, fits=reply.fits), answered)

    def _take(self, settings: dict[str, dict[str, Any]]) -> None:
        for key, value in settings_keys(settings):
            self.form.set(key, value)
        self.rows.changed()

    def action_measure(self) -> None:
        """Measure how long the rows of the data are, for a closer estimate."""
        values = estimable(self.form)
        if values is None or self.form.value("data.path") is None:
            self._say_why_not() if values is None else self.notify("Choose the data first.")
            return
        self.ask(
            lambda client: client.estimate(values, source="form", data="measure"),
            self._measured,
            doing="measuring the rows",
        )

    def _measured(self, reply: EstimateReply) -> None:
        self._show_estimate(reply)
        if reply.rows is None:
            self.notify(" ".join(reply.notes), severity="warning", markup=False)
            return
        rows = reply.rows
        self.notify(
            f"{rows.rows:,} rows, {rows.mean:,.0f} tokens on average, {rows.longest:,} at most.",
            markup=False,
        )
