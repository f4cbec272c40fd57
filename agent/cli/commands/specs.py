"""init, validate, tasks, presets: everything about specs that needs no agent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..completion import complete_presets, complete_tasks
from ..invocation import invocation
from ..options import Json, Settings, SpecFile, TaskName, flag

if TYPE_CHECKING:
    from luthier.presets import Preset
    from luthier.trainers.registry import Task


def init(
    context: typer.Context,
    task: TaskName,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write; - is standard output. Default: TASK.yaml.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Start from this preset.", autocompletion=complete_presets, show_default=False
        ),
    ] = None,
    force: Annotated[bool, flag("--force", help="Overwrite the file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented spec to start from."""
    from luthier.trainers.errors import LuthierError
    from luthier.trainers.registry import find_task

    from ..starter import starter_spec

    here = invocation(context)
    entry = find_task(task)
    text = starter_spec(entry, _preset_of(entry, preset) if preset else None)
    if str(output) == "-":
        if as_json:
            here.print_json({"path": None, "task": entry.id, "preset": preset, "yaml": text})
        else:
            typer.echo(text, nl=False)
        return
    file = output or Path(f"{entry.id}.yaml")
    if file.exists() and not force:
        raise LuthierError(f"{file} exists already.", hint="Choose --output or --force.")
    file.write_text(text, encoding="utf-8")
    if as_json:
        here.print_json({"path": str(file), "task": entry.id, "preset": preset})
        return
    here.say(f"Wrote {file}. Set data.path in it, then: luthier run {file}")


def validate(
    context: typer.Context, spec: SpecFile, settings: Settings = None, as_json: Json = False
) -> None:
    """Check a spec without starting anything."""
    from luthier.trainers.errors import SpecError
    from luthier.trainers.spec.file import load_spec

    from ..exit_codes import ExitCode

    here = invocation(context)
    try:
        loaded = load_spec(spec, settings or [])
    except SpecError as error:
        if not as_json:
            raise
        problems = [{"where": each.where, "message": each.message} for each in error.problems]
        here.print_json({"valid": False, "problems": problems})
        raise typer.Exit(ExitCode.WRONG_INPUT) from error
    if as_json:
        here.print_json({"valid": True, "spec": loaded})
        return
    here.say(f"{spec} is a valid {loaded.task} spec. Start it with: luthier run {spec}")


def tasks(
    context: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="Show this task's settings.",
            autocompletion=complete_tasks,
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, flag("--all", help="Show the settings for experts as well.")] = False,
    as_json: Json = False,
) -> None:
    """List what can be trained, or the settings of one task."""
    from luthier.trainers.registry import find_task
    from luthier.trainers.registry import tasks as known_tasks

    from ..views import catalogue

    here = invocation(context)
    if task:
        entry = find_task(task)
        if as_json:
            here.print_json(catalogue.task_detail(entry))
        else:
            catalogue.show_task(here, entry, every=every)
    elif as_json:
        here.print_json([catalogue.task_row(entry) for entry in known_tasks().values()])
    else:
        catalogue.show_tasks(here, list(known_tasks().values()))


def presets(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show this preset.",
            autocompletion=complete_presets,
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the presets, or show one."""
    from luthier.presets import find_preset
    from luthier.presets import presets as known_presets

    from ..views import catalogue

    here = invocation(context)
    if name:
        preset = find_preset(name)
        if as_json:
            here.print_json(preset)
        else:
            catalogue.show_preset(here, preset)
    elif as_json:
        here.print_json(list(known_presets()))
    else:
        catalogue.show_presets(here, known_presets())


def _preset_of(task: Task, name: str) -> Preset:
    """The preset of that name, with or without its task. Raises LuthierError."""
    from luthier.presets import find_preset
    from luthier.trainers.errors import LuthierError

    preset = find_preset(name if "/" in name else f"{task.id}/{name}")
    if preset.task != task.id:
        raise LuthierError(
            f"The preset {preset.name} is for {preset.task}, not {task.id}.",
            hint="List them with: luthier presets",
        )
    return preset


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    panel = "Specs and data"
    app.command("init", rich_help_panel=panel)(init)
    app.command("validate", rich_help_panel=panel)(validate)
    app.command("tasks", rich_help_panel=panel)(tasks)
    app.command("presets", rich_help_panel=panel)(presets)
