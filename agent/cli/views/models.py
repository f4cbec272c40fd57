"""The model list as tables and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from luthier.presets.catalog import ModelEntry, family_of

from ..invocation import Invocation
from .tables import add_row, facts, plain_table


@dataclass(frozen=True)
class ListedModel:
    """A model of the list, and whether it is on this machine."""

    entry: ModelEntry
    cached: bool

    def row(self) -> dict[str, Any]:
        """The same as plain data; the sizes of its config are left out."""
        return {**self.entry.model_dump(exclude={"config"}), "cached": self.cached}

    @property
    def access(self) -> str:
        """What stands between the reader and its weights."""
        if self.cached:
            return "here"
        return {True: "gated", False: "open", None: "open or gated"}[self.entry.gated]


def show_models(here: Invocation, found: Sequence[ListedModel], *, of: int) -> None:
    """A table of models, smallest first within a family."""
    if not found:
        here.say(f"None of the {of} models of the list is meant. Any other model of the hub, or a")
        here.say("folder, can be trained as well: it is named in model.name_or_path.")
        return
    table = plain_table("model", ">parameters", ">context", "licence", "access")
    for each in found:
        entry = each.entry
        context = f"{entry.context:,}" if entry.context else ""
        add_row(table, entry.id, _billions(entry.parameters), context, entry.licence, each.access)
    here.console.print(table)
    here.say(f"{len(found)} of {of}. All about one with: luthier models NAME")


def show_model(here: Invocation, found: ListedModel) -> None:
    """Everything that is known of one model."""
    entry, family = found.entry, family_of(found.entry.id)
    rows = [
        ("model", entry.id),
        ("title", entry.title),
        ("parameters", f"{entry.parameters:,}"),
        ("context", f"{entry.context:,} tokens" if entry.context else ""),
        ("licence", entry.licence),
        ("access", found.access),
        ("instructed", "yes" if entry.instruct else "no"),
        ("trained by", ", ".join(entry.tasks)),
    ]
    if family is not None:
        rows += [
            ("family", family.title),
            ("adapters go to", ", ".join(family.target_modules)),
            ("chat template", family.chat_template),
            ("padding", family.pad_token),
            *[("note", note) for note in family.notes],
        ]
    here.console.print(facts([(name, value) for name, value in rows if value]))
    here.say(f"A spec names it so: model.name_or_path: {entry.id}")


def _billions(parameters: int) -> str:
    """``135M``, ``1.24B``."""
    return f"{parameters / 1e6:.3g}M" if parameters < 999.5e6 else f"{parameters / 1e9:.3g}B"
