"""Which column plays which part, chosen from the real columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.text import Text
from textual import on
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from luthier.trainers.data.formats import OPTIONAL_PARTS

from ..screens.dialog import Choice, ChooseDialog, Dialog
from ..widgets.options import Options
from .mapping import AUTO, Columns, missing, parts_of, start

_FORMAT, _DONE, _CLEAR, _NONE = "format", "done", "clear", "-"


class MappingDialog(Dialog[tuple[str, dict[str, str]]]):
    """Answers with the format and the column of each part.

    Args:
        columns: the real ones.
        chosen: the format that holds now.
        mapping: what the person has said before.
        formats: what can be chosen.
    """

    def __init__(
        self,
        columns: Columns,
        chosen: str,
        mapping: Mapping[str, str],
        formats: Sequence[str],
    ) -> None:
        super().__init__("Which column plays which part?")
        self._columns = columns
        self._format = chosen
        self._formats = formats
        self._mapping = start(chosen, columns, mapping)

    def body(self) -> Iterable[Widget]:
        """The format, the parts, and what is still missing."""
        yield Options(id="parts")
        yield Static("", id="complaint", classes="warning", markup=False)

    def on_mount(self) -> None:
        """Show what holds now."""
        self._show(_FORMAT)
        self.query_one(Options).focus()

    def _show(self, at: str) -> None:
        options = self.query_one(Options)
        options.clear_options()
        found = self._columns.format or "none fits"
        name = f"auto: {found}" if self._format == AUTO else self._format
        options.add_option(_line("format", name, _FORMAT))
        for part in parts_of(self._format, self._columns):
            silent = "none" if part in OPTIONAL_PARTS else "choose a column"
            options.add_option(_line(part, self._mapping.get(part, silent), f"part {part}"))
        lacks = missing(self._format, self._columns, self._mapping)
        options.add_option(None)
        options.add_option(Option(Text("Use these columns"), id=_DONE, disabled=bool(lacks)))
        options.add_option(Option(Text("Let Luthier find them by itself"), id=_CLEAR))
        options.go_to(at)
        self.query_one("#complaint", Static).update(f"{lacks}." if lacks else "")

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        line = event.option_id or ""
        if line == _DONE:
            self.dismiss((self._format, self._mapping))
        elif line == _CLEAR:
            self.dismiss((AUTO, {}))
        elif line == _FORMAT:
            choices = [Choice(name, name) for name in self._formats]
            dialog = ChooseDialog("What a row is", choices, self._format)
            self.app.push_screen(dialog, self._take_format)
        else:
            self._choose_column(line.removeprefix("part "))

    def _take_format(self, chosen: str | None) -> None:
        if chosen is not None:
            self._format = chosen
            self._mapping = start(chosen, self._columns, self._mapping)
            self._show(_FORMAT)

    def _choose_column(self, part: str) -> None:
        choices = [Choice(name, name) for name in self._columns.names]
        if part in OPTIONAL_PARTS:
            choices.append(Choice(_NONE, "none"))

        def taken(column: str | None) -> None:
            if column == _NONE:
                self._mapping.pop(part, None)
            elif column is not None:
                self._mapping[part] = column
            self._show(f"part {part}")

        title = f"The column that is the {part}"
        self.app.push_screen(ChooseDialog(title, choices, self._mapping.get(part, "")), taken)


def _line(name: str, value: str, line_id: str) -> Option:
    return Option(Text.assemble(f"{name:<14}", (value, "bold")), id=line_id)
