"""What can be trained, by family, with an example of the rows that each task takes."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual import on
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from luthier.agent.text import printable
from luthier.presets import presets
from luthier.trainers.registry import Family, Task, tasks

from ..setups import LastUsed
from .options import Options

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
        & Options { text-wrap: nowrap; text-overflow: ellipsis; }
        & #task { padding-top: 1; }
        & VerticalScroll { width: 1fr; padding: 0 2; border-left: solid $panel; }
    }
    """

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
            yield Options(id="tasks")
        with VerticalScroll(can_focus=False):
            yield Static(id="task")

    def show(self, last: LastUsed | None) -> None:
        """Show the tasks, and first the form that was used last."""
        self._last = last
        options = self.query_one(Options)
        options.clear_options()
        if last:
            options.add_option(Option("Go on where you left", id=LAST))
        family = ""
        places = {family: place for place, family in enumerate(_HEADINGS)}
        for task in sorted(tasks().values(), key=lambda task: places[task.family]):
            if task.family != family:
                family = task.family
                options.add_option(Option(_HEADINGS[family], disabled=True))
            options.add_option(Option(f"  {task.title}", id=task.id))
        options.go_to(None)
        options.focus()
        self._explain(options.current)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._explain(event.option_id)

    def _explain(self, option_id: str | None) -> None:
        if option_id == LAST and self._last:
            self.query_one("#task", Static).update(last_used(self._last))
        elif option_id:
            self.query_one("#task", Static).update(explained(tasks()[option_id]))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id == LAST and self._last:
            self.post_message(self.Chosen(self._last.task, last=True))
        elif event.option_id:
            self.post_message(self.Chosen(event.option_id))


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
