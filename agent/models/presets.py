"""Presets."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .base import StrictModel


class PresetSuits(StrictModel):
    """What a preset is right for; silent: anything."""

    models: list[str] = Field(default=[], description="Architectures, as model_type says.")
    parameters: tuple[float, float] | None = Field(
        default=None, description="Least and most parameters of the model, in billions."
    )
    devices: list[str] = Field(default=[], description="Kinds of devices.")


class Preset(StrictModel):
    """A named part of a spec."""

    name: str
    title: str
    task: str
    description: str
    settings: dict[str, Any]
    purpose: str = Field(default="", description="What it is for.")
    trades: str = Field(default="", description="What it gives up for that.")
    sources: str = Field(default="", description="Where its numbers come from.")
    suits: PresetSuits = PresetSuits()
    quirks: list[str] = Field(default=[], description="What one should know about its models.")
    own: bool = Field(default=False, description="The person's own, to be changed and deleted.")


class PresetText(StrictModel):
    """A preset of one's own as YAML text, comments included."""

    text: str = Field(max_length=1_000_000)


class PresetCopy(StrictModel):
    """What the copy of a preset is to be called."""

    name: str = Field(description="TASK/NAME, or NAME for the task of the original.")


class PresetProblems(StrictModel):
    """What is wrong with one's own presets."""

    checked: int = Field(description="How many presets of one's own there are.")
    problems: list[str] = Field(description="A sentence for each file that cannot be used.")
