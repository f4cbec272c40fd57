"""A person's own presets: copied, written, checked and deleted."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import find_task
from luthier.trainers.spec.yaml_loader import dump_yaml

from .files import parse_file
from .library import Library, Preset, check

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")
_WIDTH = 96


class OwnPresets:
    """The presets in one folder, ``<task>/<name>.yaml``, the same format as the library's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._library = Library(folder)

    @property
    def library(self) -> Library:
        """Everything, the built-in ones among it."""
        return self._library

    def path(self, name: str) -> Path:
        """Where the preset of that name lies or would lie.

        Raises:
            LuthierError: the name will not do, or there is no such task.
        """
        task, separator, kind = name.partition("/")
        if not separator or not _NAME.fullmatch(kind):
            raise LuthierError(
                f"{name!r} will not do as a preset's name.",
                hint="Write TASK/NAME with small letters, digits, dots, dashes and underscores.",
            )
        return self._folder / find_task(task).id / f"{kind}.yaml"

    def text(self, name: str) -> str:
        """The text of the preset's file, comments included. Raises LuthierError."""
        found = self._library.find(name)
        if not found.own or found.path is None:
            return text_of(found)
        return found.path.read_text(encoding="utf-8")

    def copy(self, name: str, new: str) -> Preset:
        """Make a preset of one's own from another.

        Args:
            name: of the original; several joined by ``+`` become one.
            new: ``TASK/NAME``, or ``NAME`` for the task of the original.

        Raises:
            LuthierError: there is no such preset, or the new name is taken or will not do.
        """
        original = self._library.find(name)
        full = new if "/" in new else f"{original.task}/{new}"
        path = self.path(full)
        if path.exists():
            raise LuthierError(f"You have a preset {full!r} already.", hint="Choose another name.")
        return self._write(full, text_of(original))

    def write(self, name: str, text: str) -> Preset:
        """Keep the text as the preset of that name, after checking it.

        Raises:
            LuthierError: the text is no preset, or its settings cannot work.
        """
        path = self.path(name)
        task = path.parent.name
        file = parse_file(text, str(path), [task])
        if file.specificity(find_task(task)) is None:
            raise LuthierError(f"{path}: tasks has to hold {task}, or leave it out.")
        settings = file.settings_for(find_task(task))
        check(Preset(name=name, title=file.title, task=task, settings=settings, path=path))
        return self._write(name, text)

    def remove(self, name: str) -> None:
        """Delete a preset of one's own. Raises LuthierError when it is none."""
        path = self.path(name)
        try:
            path.unlink()
        except FileNotFoundError as error:
            self._library.find(name)
            raise LuthierError(f"The preset {name} is not yours to delete.") from error
        except OSError as error:
            raise LuthierError(f"{path}: {error.strerror}.") from error

    def _write(self, name: str, text: str) -> Preset:
        path = self.path(name)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            raise LuthierError(f"{path}: cannot be written: {error.strerror}.") from error
        return self._library.find(name)


def text_of(preset: Preset) -> str:
    """A preset as a file of one's own: the same settings, with the reasons to be rewritten."""
    about = textwrap.wrap(
        f"From {preset.name}. Change what you like; check it with: luthier presets validate",
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
    )
    values = preset.model_dump(
        mode="json", include={"title", "purpose", "trades", "sources", "suits", "quirks"}
    )
    kept = {name: value for name, value in values.items() if value}
    kept["suits"] = {name: value for name, value in preset.suits.model_dump().items() if value}
    if not kept["suits"]:
        del kept["suits"]
    elif "parameters" in kept["suits"]:
        kept["suits"]["parameters"] = list(kept["suits"]["parameters"])
    return "\n".join(about) + "\n" + dump_yaml({**kept, "settings": preset.settings})
