"""Reading the model list. Where its facts come from is said in models.json itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).parent / "models.json"


class Family(BaseModel):
    """What models of one family have in common.

    Attributes:
        id: such as ``llama-3``.
        title: as people call it.
        target_modules: linear modules that adapters usually go to.
        chat_template: kind of the instruct models' template, such as ``chatml``, or "".
        pad_token: what to know of its padding token.
        notes: known quirks, one sentence each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    target_modules: tuple[str, ...]
    chat_template: str = ""
    pad_token: str = ""
    notes: tuple[str, ...] = ()


class ModelEntry(BaseModel):
    """One model of the list.

    Attributes:
        id: its hub id.
        title: as people call it.
        family: id of its family.
        kind: decoder, encoder, encoder-decoder, vision, detector or vision-language.
        tasks: ids of tasks that it is a start for.
        parameters: how many it has.
        context: its longest input in tokens; 0 for models of images.
        licence: its licence's short name.
        gated: whether the hub asks to accept terms before a download; None where not known.
        instruct: whether it has been taught to follow instructions.
        config: what its config.json says about its sizes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    family: str
    kind: str
    tasks: tuple[str, ...]
    parameters: int
    context: int
    licence: str
    gated: bool | None
    instruct: bool = False
    config: dict[str, Any]


@cache
def _read() -> tuple[dict[str, Family], dict[str, ModelEntry]]:
    values = json.loads(_FILE.read_text(encoding="utf-8"))
    families = {family["id"]: Family(**family) for family in values["families"]}
    entries = {entry["id"]: ModelEntry(**entry) for entry in values["models"]}
    return families, entries


def models() -> tuple[ModelEntry, ...]:
    """Every model of the list."""
    return tuple(_read()[1].values())


def find_entry(model_id: str) -> ModelEntry | None:
    """The model of that hub id, None when the list has none; upper and lower case are the same."""
    wanted = model_id.lower()
    return next((entry for entry in models() if entry.id.lower() == wanted), None)


def family_of(model_id: str) -> Family | None:
    """The family of a model of the list."""
    entry = find_entry(model_id)
    return _read()[0][entry.family] if entry else None


def search(words: Iterable[str] = (), task: str | None = None) -> list[ModelEntry]:
    """The models that have all the words in id, title, family, kind or licence.

    A whole id means that model alone.

    Args:
        words: upper and lower case are the same.
        task: only models that this task starts from.
    """
    wanted = [word.lower() for word in words]
    if len(wanted) == 1 and (exact := find_entry(wanted[0])) is not None:
        return [exact] if task is None or task in exact.tasks else []
    families = _read()[0]
    found = []
    for entry in models():
        said = (entry.id, entry.title, families[entry.family].title, entry.kind, entry.licence)
        text = " ".join(said).lower()
        if all(word in text for word in wanted) and (task is None or task in entry.tasks):
            found.append(entry)
    return found
