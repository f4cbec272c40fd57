"""Tasks and presets as tables and as plain data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from luthier.presets import Preset
from luthier.trainers.registry import Task

from ... import text
from ..fields import Setting, settings
from ..invocation import Invocation
from .tables import add_row, facts, plain_table


def task_row(task: Task) -> dict[str, Any]:
    """A task as lists show it."""
    return {
        "id": task.id,
        "family": task.family,
        "title": task.title,
        "sentence": task.sentence,
        "default_model": task.default_model,
    }


def task_detail(task: Task) -> dict[str, Any]:
    """A task with its columns and settings."""
    return {
        **task_row(task),
        "columns": [dataclasses.asdict(column) for column in task.columns],
        "metrics": list(task.metrics),
        "chats": task.chats,
        "notes": list(task.notes),
        "settings": [_setting_row(setting) for setting in settings(task.spec)],
    }


def show_tasks(here: Invocation, tasks: Sequence[Task]) -> None:
    """A table of the tasks."""
    table = plain_table("task", "title", "what it does")
    for task in tasks:
        add_row(table, task.id, task.title, task.sentence)
    here.console.print(table)


def show_task(here: Invocation, task: Task, *, every: bool) -> None:
    """One task: what it needs and which settings it takes."""
    columns = [f"{column.role} ({column.type})" for column in task.columns]
    here.console.print(
        facts(
            [
                ("task", task.id),
                ("title", task.title),
                ("", task.sentence),
                ("rows have", ", ".join(columns)),
                *[("", note) for note in task.notes],
                ("metrics", ", ".join(task.metrics)),
                ("default model", task.default_model),
            ]
        )
    )
    shown = [each for each in settings(task.spec) if every or each.level == "beginner"]
    table = plain_table("setting", "default", "meaning")
    for setting in shown:
        add_row(table, setting.key, _default(setting), _meaning(setting))
    here.console.print(table)
    left = len(list(settings(task.spec))) - len(shown)
    if left:
        here.say(f"{left} more settings with: luthier tasks {task.id} --all")


def show_presets(here: Invocation, presets: Sequence[Preset]) -> None:
    """A table of the presets."""
    table = plain_table("|preset", "what it is for")
    used = max((len(preset.name) for preset in presets), default=0)
    for preset in presets:
        what = text.one_line(preset.purpose, max(20, here.console.width - used - 4))
        add_row(table, preset.name, what)
    here.console.print(table)
    here.say("All about one with: luthier presets NAME")


def show_preset(here: Invocation, preset: Preset) -> None:
    """One preset with what it sets."""
    here.console.print(
        facts([("preset", preset.name), ("title", preset.title), ("", preset.description)])
    )
    table = plain_table("setting", "value")
    for section, values in preset.settings.items():
        for key, value in values.items():
            add_row(table, f"{section}.{key}", json.dumps(value))
    here.console.print(table)
    here.say(f"Start from it with: luthier init {preset.task} --preset {preset.name}")


def _setting_row(setting: Setting) -> dict[str, Any]:
    row = dataclasses.asdict(setting)
    default = row["default"]
    return {**row, "default": default.model_dump() if hasattr(default, "model_dump") else default}


def _default(setting: Setting) -> str:
    return "required" if setting.required else json.dumps(setting.default, ensure_ascii=False)


def _meaning(setting: Setting) -> str:
    return f"{setting.meaning} [{setting.unit}]" if setting.unit else setting.meaning
