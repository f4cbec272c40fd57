"""A preset with its reasons, setting by setting."""

from __future__ import annotations

import json
from typing import Any

from luthier.presets import Preset
from luthier.trainers.registry import find_task

from ..fields import settings
from ..invocation import Invocation
from .tables import add_row, facts, plain_table


def explained(preset: Preset) -> list[dict[str, Any]]:
    """Every setting with what it means and what holds without the preset."""
    known = {setting.key: setting for setting in settings(find_task(preset.task).spec)}
    found = []
    for section, values in preset.settings.items():
        for key, value in values.items():
            setting = known[f"{section}.{key}"]
            row = {"key": setting.key, "value": value, "default": setting.default}
            found.append({**row, "meaning": setting.meaning})
    return found


def show_explained(here: Invocation, preset: Preset) -> None:
    """The reasons, then the settings."""
    suits = preset.suits
    sizes = suits.parameters
    here.console.print(
        facts(
            [
                ("preset", preset.name),
                ("for", preset.purpose),
                ("trades", preset.trades),
                ("numbers from", preset.sources),
                ("models", ", ".join(suits.models)),
                ("sizes", f"{sizes[0]:g} to {sizes[1]:g} billion parameters" if sizes else ""),
                ("devices", ", ".join(suits.devices)),
                *(("know", quirk) for quirk in preset.quirks),
                ("file", str(preset.path) if preset.own else ""),
            ]
        )
    )
    table = plain_table("setting", "default", "here", "meaning")
    for row in explained(preset):
        default = json.dumps(row["default"], ensure_ascii=False)
        same = row["default"] == row["value"]
        here_value = "the same" if same else json.dumps(row["value"], ensure_ascii=False)
        add_row(table, row["key"], default, here_value, row["meaning"])
    here.console.print(table)
