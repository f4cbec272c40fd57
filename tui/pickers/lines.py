"""The lines of a picker: what was found, or the folder that is being typed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .browse import Wanted, entries, place_of
from .models import FoundModel, cached_datasets, hub_cache

_LONG = 36
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        key: what is chosen, or the folder that is gone into.
        name: how it is shown.
        does: what enter does with it.
        about: what it is, in a few words.
        size: bytes; None: not known.
        warning: what is in the way; empty: nothing.
    """

    key: str
    name: str
    does: Literal["choose", "enter"]
    about: str = ""
    size: int | None = None
    warning: str = ""


def is_path(typed: str) -> bool:
    """Whether a folder is being typed rather than words to look for."""
    return typed.startswith(("/", "./", "../", "~")) or typed in (".", "..")


def is_hub_id(typed: str) -> bool:
    """Whether the text is of the form owner/name."""
    return _HUB_ID.fullmatch(typed) is not None


def place_lines(typed: str, base: Path, wanted: Wanted, *, hidden: bool = False) -> list[Line]:
    """The lines of the folder that is being typed. Raises LuthierError."""
    place = place_of(typed, base)
    path = Path(typed).expanduser()
    path = path if path.is_absolute() else base / path
    # What is typed beyond the folder narrows the list.
    begun = "" if path.is_dir() else path.name.lower()
    found = []
    for entry in entries(place, wanted, hidden=hidden or begun.startswith(".")):
        if entry.kind == "up" or not begun or entry.name.lower().startswith(begun):
            name = f"{entry.name}/" if entry.folder else entry.name
            does: Literal["choose", "enter"] = "choose" if entry.kind == "choice" else "enter"
            about = entry.note or ("folder" if entry.folder else "")
            found.append(Line(str(entry.path), name, does, about, entry.size))
    return found


def model_lines(
    found: Sequence[FoundModel], typed: str, base: Path, *, offline: bool = False
) -> list[Line]:
    """The models that have all the typed words; first a hub id that is typed and not among them."""
    words = typed.lower().split()
    lines = [
        Line(model.name, _short(model.name, base), "choose", _about(model), model.size, model.note)
        for model in found
        if all(word in model.name.lower() for word in words)
    ]
    if is_hub_id(typed) and typed not in {model.name for model in found}:
        lines.insert(0, hub_line(typed, offline=offline))
    return lines


def hub_line(typed: str, *, offline: bool) -> Line:
    """A hub id that is not on this machine."""
    warning = "not on this machine, and you work offline" if offline else ""
    return Line(typed, typed, "choose", "on the hub; fetched when it is needed", warning=warning)


def suggested_line(name: str, *, offline: bool) -> Line:
    """The model that a task starts from unless told otherwise, when it is not on this machine."""
    return replace(hub_line(name, offline=offline), about="suggested for this task, on the hub")


def known_data(base: Path, sample: Path) -> list[Line]:
    """What a person may mean: data in ``base`` and one folder down, the sample, cached datasets."""
    found = []
    for folder in (base, base / "data"):
        if not folder.is_dir():
            continue
        for entry in entries(folder, "data"):
            if entry.kind == "choice":
                name = str(entry.path.relative_to(base))
                about = entry.note or "data file"
                found.append(Line(str(entry.path), name, "choose", about, entry.size))
    place = Line(f"{base}/", "./", "enter", "look through folders")
    tiny = Line(str(sample), "sample", "choose", "a tiny dataset to try the task with")
    cached = [
        Line(name, name, "choose", "hub cache") for name in cached_datasets(hub_cache(os.environ))
    ]
    return [*found, place, tiny, *cached]


def _about(model: FoundModel) -> str:
    origin = {"cache": "hub cache", "folder": "folder", "run": "result of a run"}[model.origin]
    return f"{origin}, {model.kind}" if model.kind else origin


def _short(name: str, base: Path) -> str:
    """A path in few letters; its end says more than its beginning."""
    if not name.startswith("/"):
        return name
    for folder, written in ((base, "."), (Path.home(), "~")):
        if name.startswith(f"{folder}/"):
            name = f"{written}/{name.removeprefix(f'{folder}/')}"
            break
    parts = name.split("/")
    return name if len(name) <= _LONG or len(parts) < 4 else "/".join(["…", *parts[-3:]])
