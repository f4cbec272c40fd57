"""What the shell offers after a tab. Nothing here starts or asks the agent."""

from __future__ import annotations

from typing import Any

import typer


def complete_tasks(incomplete: str) -> list[tuple[str, str]]:
    """Task ids with their titles."""
    from luthier.trainers.registry import tasks

    return [(task.id, task.title) for task in tasks().values() if task.id.startswith(incomplete)]


def complete_presets(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Preset names with their titles, one's own among them."""
    from luthier.presets import Library

    from .invocation import home_from

    home = home_from(context.find_root().params.get("home"))
    known = Library(home.presets).presets()
    return [(preset.name, preset.title) for preset in known if preset.name.startswith(incomplete)]


def complete_runs(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the runs in the home, the newest first."""
    from .invocation import home_from

    options: dict[str, Any] = context.find_root().params
    home = home_from(options.get("home"))
    names = [folder.name for folder in home.runs.glob(f"{incomplete}*") if folder.is_dir()]
    return sorted(names, reverse=True)
