"""The last look before a run starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual import on
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from luthier.agent.text import count

from ..forms import Form, to_text
from ..widgets.field_row import shortened
from ..widgets.options import Options
from .dialog import Dialog

LAUNCH, QUEUE = "launch", "queue"
_ALWAYS = (
    ("Model", "model.name_or_path"),
    ("Data", "data.path"),
    ("Trains", "peft.method"),
    ("Epochs", "training.num_train_epochs"),
    ("Batch", "training.per_device_train_batch_size"),
    ("Rate", "training.learning_rate"),
    ("Device", "launch.devices"),
)


def facts(form: Form) -> list[tuple[str, str]]:
    """What a person wants to see once more before the machine is busy for hours."""
    known = {field.key for field in form.fields}
    found = [("Task", form.task.title)]
    if form.value("name"):
        found.append(("Name", str(form.value("name"))))
    for name, key in _ALWAYS:
        if key in known:
            found.append((name, to_text(form.field(key), form.value(key))))
    steps = form.value("training.max_steps") if "training.max_steps" in known else -1
    if isinstance(steps, int) and steps > 0:
        found.append(("Steps", f"{steps} at most"))
    if form.preset:
        found.append(("Preset", form.preset.title))
    return found


class LaunchDialog(Dialog[str]):
    """Launch and watch, or queue and stay; the answer is LAUNCH or QUEUE.

    Args:
        facts: names and values to show.
        waiting: how many runs are not finished.
    """

    def __init__(self, facts: Sequence[tuple[str, str]], waiting: int) -> None:
        super().__init__("Start this run?")
        self._facts = facts
        self._waiting = waiting

    def body(self) -> Iterable[Widget]:
        """The facts, what is before it, and the two ways."""
        text = Text(no_wrap=True)
        for name, value in self._facts:
            text.append(f"{name + ':':<9}", "dim")
            text.append(f"{shortened(value, 60, self.luthier.glyphs)}\n")
        text.append("\n" + _before(self._waiting), "dim")
        yield Static(text, id="facts")
        yield Options(
            Option("Launch and watch it", id=LAUNCH),
            Option("Queue it and stay here, to set up another", id=QUEUE),
        )

    def on_mount(self) -> None:
        """Enter launches."""
        self.query_one(Options).go_to(LAUNCH)
        self.query_one(Options).focus()

    @on(OptionList.OptionSelected)
    def _answer(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


def _before(waiting: int) -> str:
    if not waiting:
        return "No other run is active: it starts at once."
    verb = "is" if waiting == 1 else "are"
    return f"{count(waiting, 'run')} {verb} not finished; it starts when a device is free."
