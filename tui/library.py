"""What the library holds: saved setups and presets, searched by words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from luthier.presets import Preset
from luthier.trainers.demo import demo_spec_text
from luthier.trainers.spec.yaml_loader import dump_yaml, load_yaml

from .setups import Setup, complaints, values_of

DEMO = "demo"
_WIDTH = 72


@dataclass(frozen=True)
class Item:
    """One entry.

    Attributes:
        id: unlike that of any other entry.
        own: whether it is the person's, to be changed and deleted.
        text: its YAML.
        problem: the first thing that is wrong with it; empty: nothing.
    """

    id: str
    name: str
    task: str
    description: str
    text: str
    own: bool
    problem: str = ""

    @property
    def heading(self) -> str:
        """What it stands under in the list."""
        if self.own:
            return "Saved setups"
        if self.id == DEMO:
            return "To see it work"
        return f"Presets of {self.task}"


def demo_item() -> Item:
    """The demo run, which can be looked at and changed before it is started."""
    return Item(
        id=DEMO,
        name="Demo",
        task="llm-sft",
        description="Teaches a tiny model to write dates in ISO form. Model and data are part of "
        "Luthier: nothing is fetched, and any machine does it in about a minute.",
        # Without the comment, which is for those who read the file itself.
        text=dump_yaml(load_yaml(demo_spec_text())),
        own=False,
    )


def items(setups: Sequence[Setup], presets: Sequence[Preset]) -> list[Item]:
    """Everything: setups first, then presets task by task."""
    return [*map(_of_setup, setups), *map(_of_preset, presets)]


def matching(found: Sequence[Item], words: str) -> list[Item]:
    """The entries that have all the words in name, task, description or text."""
    wanted = words.lower().split()
    return [
        item
        for item in found
        if all(
            word in f"{item.name} {item.task} {item.description} {item.text}".lower()
            for word in wanted
        )
    ]


def form_values(item: Item, setup: Setup | None) -> dict[str, Any]:
    """The values that open the form of a new run with it. Raises LuthierError."""
    if setup is not None:
        return {**values_of(setup), "setup": setup.name}
    if item.id == DEMO:
        return dict(load_yaml(item.text))
    return {"task": item.task, "preset": item.id.removeprefix("preset:")}


def copy_text(item: Item) -> str:
    """The text of a setup that is made from it."""
    if item.own:
        return item.text
    about = textwrap.wrap(
        f"{item.name}. {item.description}", _WIDTH, initial_indent="# ", subsequent_indent="# "
    )
    return "\n".join(about) + "\n" + item.text


def _of_setup(setup: Setup) -> Item:
    wrong = complaints(setup.text, setup.name)
    return Item(
        id=f"setup:{setup.name}",
        name=setup.name,
        task=setup.task,
        description=setup.description,
        text=setup.text,
        own=True,
        problem=str(wrong[0]) if wrong else "",
    )


def _of_preset(preset: Preset) -> Item:
    return Item(
        id=f"preset:{preset.name}",
        name=preset.title,
        task=preset.task,
        description=preset.description,
        text=dump_yaml({"task": preset.task, **preset.settings}),
        own=False,
    )
