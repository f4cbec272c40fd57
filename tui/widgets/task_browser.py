"""What can be trained, by family, with an example of the rows that each task takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from luthier.agent.text import printable
from luthier.presets import presets
from luthier.trainers.registry import Family, Task, tasks

from ..bindings import bindings
from ..setups import LastUsed
from .options import Options
from .pane import Pane

LAST = "last"

_HEADINGS: dict[Family, str] = {
    "language model": "Language models",
    "preference": "Preferences",
    "text": "Texts",
    "sentence embedding": "Sentence embeddings",
    "image": "Images",
    "vision-language": "Pictures and words",
    "tabular": "Tables",
}


class TaskBrowser(Horizontal):
    """The tasks at the left, the one with the cursor explained at the right."""

    DEFAULT_CSS = """
    TaskBrowser {
        height: 1fr;
        & #choice { width: 34; padding: 1 1 0 1; }
        & #choice Static { padding-bottom: 1; }
        & #words { display: none; margin-bottom: 1; background: $surface; }
        & Options { text-wrap: nowrap; text-overflow: ellipsis; }
        & #task { padding-top: 1; }
        & Pane { width: 1fr; padding: 0 2; border-left: solid $panel; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("tasks")]

    class Chosen(Message):
        """A task was chosen; ``last``: go on with the form that was used last."""

        def __init__(self, task: str, *, last: bool = False) -> None:
            super().__init__()
            self.task = task
            self.last = last

    def __init__(self) -> None:
        super().__init__()
        self._last: LastUsed | None = None

    def compose(self) -> Iterable[Widget]:
        """The list and the explanation."""
        with Vertical(id="choice"):
            yield Static("What do you want to train?", classes="title")
            yield Input(placeholder="words of a task", id="words", compact=True)
            yield Options(id="tasks")
        with Pane():
            yield Static(id="task")

    def show(self, last: LastUsed | None) -> None:
        """Show the tasks, and first the form that was used last."""
        self._last = last
        self.leave_filter()
        self._list()
        self.query_one(Options).focus()

    def _list(self, at: str | None = None) -> None:
        words = self.query_one("#words", Input).value
        options = self.query_one(Options)
        options.clear_options()
        if self._last and not words:
            options.add_option(Option("Go on where you left", id=LAST))
        family = ""
        for task in matching(words):
            if task.family != family:
                family = task.family
                options.add_option(Option(_HEADINGS[family], disabled=True))
            options.add_option(Option(f"  {task.title}", id=task.id))
        options.go_to(at)
        self._explain(options.current)

    # -- the filter ----------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A stroke is a letter among the words."""
        typing = self.query_one("#words", Input).has_focus
        return {"filter": not typing, "to_list": typing}.get(action, True)

    def action_filter(self) -> None:
        """Type words of the tasks to show."""
        field = self.query_one("#words", Input)
        field.display = True
        self.screen.set_focus(field)

    @on(Input.Changed, "#words")
    def _words_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._list(self.query_one(Options).current)

    @on(Input.Submitted, "#words")
    def action_to_list(self) -> None:
        """From the words to the tasks."""
        self.query_one(Options).focus()

    def leave_filter(self) -> bool:
        """Show all tasks again; False when nothing was filtered."""
        field = self.query_one("#words", Input)
        was_there = bool(field.display)
        field.value, field.display = "", False
        if was_there:
            self.query_one(Options).focus()
        return was_there

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._explain(event.option_id)

    def _explain(self, option_id: str | None) -> None:
        if option_id == LAST and self._last:
            self.query_one("#task", Static).update(last_used(self._last))
        elif option_id:
            self.query_one("#task", Static).update(explained(tasks()[option_id]))
        else:
            self.query_one("#task", Static).update("No task has these words. Escape shows all.")

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id == LAST and self._last:
            self.post_message(self.Chosen(self._last.task, last=True))
        elif event.option_id:
            self.post_message(self.Chosen(event.option_id))


def matching(words: str) -> list[Task]:
    """The tasks that have all the words in id, title, sentence or family, by family."""
    wanted = words.lower().split()

    def has(task: Task) -> bool:
        text = f"{task.id} {task.title} {task.sentence} {task.family} {_HEADINGS[task.family]}"
        return all(word in text.lower() for word in wanted)

    places = {family: place for place, family in enumerate(_HEADINGS)}
    return sorted(filter(has, tasks().values()), key=lambda task: places[task.family])


def explained(task: Task) -> RenderableType:
    """A task for somebody who has never trained it."""
    rows = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    for title in ("column", "holds", "for example"):
        rows.add_column(title, overflow="fold")
    for column in task.columns:
        needed = "" if column.required else " (optional)"
        rows.add_row(f"{column.role}{needed}", column.type, printable(str(column.example)))
    about = Text()
    about.append(f"{task.title}\n", "bold")
    about.append(f"{task.id}\n\n", "dim")
    about.append(f"{task.sentence}\n\nA row of the data:\n")
    below = Text("\n")
    for note in task.notes:
        below.append(f"{note}\n\n")
    below.append("Measured: ", "dim").append(", ".join(task.metrics) + "\n")
    if task.default_model:
        below.append("Model to start from: ", "dim").append(f"{task.default_model}\n")
    titles = [preset.title for preset in presets() if preset.task == task.id]
    below.append("Presets: ", "dim").append(", ".join(titles) or "none")
    return Group(about, rows, below)


def last_used(last: LastUsed) -> RenderableType:
    """The form that was used last, in a few lines."""
    text = Text()
    text.append("Go on where you left\n\n", "bold")
    facts = {
        "Task": tasks()[last.task].title,
        "Model": _said(last, "model", "name_or_path"),
        "Data": _said(last, "data", "path"),
        "Preset": last.preset,
        "Setup": last.setup,
    }
    for name, value in facts.items():
        if value:
            text.append(f"{name + ':':<8}", "dim").append(f"{printable(value)}\n")
    return text


def _said(last: LastUsed, section: str, key: str) -> str:
    inner = last.values.get(section)
    return str(inner.get(key) or "") if isinstance(inner, dict) else ""
