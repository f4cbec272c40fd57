"""Trying the result of a run that predicts: what is written in, and what the model says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from luthier.trainers.registry import Inputs, find_task

from ..bindings import bindings
from ..state import Topic
from ..trying import Line, Predicted, examples, predict, prediction_lines
from ..widgets.scroller import Scroller, TextPane
from .base import LuthierScreen


class TryScreen(LuthierScreen):
    """One field for each part of an input, and the predictions, the newest first.

    Args:
        run_id: the full id.
        task: what the run has trained; its results predict.
    """

    TITLE = "try it"
    CSS_PATH = "../styles/try_it.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("try_it")]

    def __init__(self, run_id: str, task: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.inputs = find_task(task).inputs or Inputs(("text",))
        self._examples: Iterator[dict[str, str]] = iter(())
        self._said: list[Line] = []
        self._fields: dict[str, Input] = {}

    def body(self) -> Iterable[Widget]:
        """The fields, and what was said."""
        with VerticalScroll(id="fields", can_focus=False):
            yield from self._rows((*self.inputs.roles, *self.inputs.optional))
        yield TextPane(empty="write something and press enter", id="said")

    def _rows(self, names: Iterable[str]) -> Iterator[Widget]:
        """A field for each part of an input, beside its name."""
        for name in names:
            field = Input(placeholder=self._placeholder(name), compact=True)
            self._fields[name] = field
            yield Horizontal(Static(name, classes="role", markup=False), field)

    def _placeholder(self, role: str) -> str:
        if self.inputs.kind == "image" and role == self.inputs.roles[0]:
            return "path of a picture, a folder or a table"
        return "" if role in self.inputs.roles else "may be left out"

    def on_mount(self) -> None:
        """The first field gets the keys; the run's own data gives something to try."""
        self._focus_first()
        run_id, inputs = self.run_id, self.inputs
        self.ask(lambda client: examples(client, run_id, inputs), self._know)

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """The glyphs may have changed."""
        for scroller in self.query(Scroller):
            scroller.unicode = self.glyphs.unicode

    @property
    def values(self) -> dict[str, str]:
        """What the fields hold, by role."""
        return {name: field.value for name, field in self._fields.items()}

    def _focus_first(self) -> None:
        for field in [*self._fields.values()][:1]:
            field.focus()

    def _know(self, found: list[dict[str, str]]) -> None:
        self._examples = cycle(found)
        if not self.inputs.roles:
            # Which columns there are, only the run's own data says.
            columns = dict.fromkeys(name for row in found for name in row)
            self.query_one("#fields").mount(*self._rows(columns))
            self._focus_first()
            if not columns:
                words = f"The columns are not known here. Use: luthier predict {self.run_id} TABLE"
                self.query_one("#said", TextPane).show([([], [(words, "warning")])])
        if not any(self.values.values()):
            self.action_example()

    def action_example(self) -> None:
        """Put the next row of the run's own data into the fields."""
        row = next(self._examples, None)
        if row is not None:
            for name, field in self._fields.items():
                field.value = row.get(name, "")

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_predict()

    def action_predict(self) -> None:
        """Ask the model."""
        run_id, inputs, values = self.run_id, self.inputs, self.values
        self.ask(
            lambda client: predict(client, run_id, inputs, values),
            self._show,
            doing="predicting",
        )

    def _show(self, found: Predicted) -> None:
        lines = [line for each in found for line in prediction_lines(*each)]
        self._said = [*lines, *self._said]
        self.query_one("#said", TextPane).show(self._said, from_top=True)

    def action_back(self) -> None:
        """Leave the wait, and last the screen."""
        if not self.leave_waits():
            self.action_leave()
