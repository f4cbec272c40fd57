"""init, validate, tasks: everything about specs that needs no agent."""

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

    from ..invocation import Invocation


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
            help="Start from this preset; auto is what fits this machine.",
            autocompletion=complete_presets,
            show_default=False,
        ),
    ] = None,
    sample: Annotated[
        bool,
        flag("--sample", help="A quick offline test: sample data and a tiny random model."),
    ] = False,
    force: Annotated[bool, flag("--force", help="Overwrite the file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented spec to start from."""
    from luthier.trainers.errors import LuthierError
    from luthier.trainers.registry import find_task

    from ..sampling import sample_settings
    from ..starter import SAMPLE_ORIGIN, spec_file, starter_spec

    here = invocation(context)
    entry = find_task(task)
    file = spec_file(entry, output, force=force)
    if sample and preset:
        raise LuthierError("Choose --sample or --preset, not both.")
    if sample:
        changes = sample_settings(here, entry)
        text = starter_spec(entry, changes=changes, origin=SAMPLE_ORIGIN)
    else:
        text = starter_spec(entry, _preset_of(here, entry, preset) if preset else None)
    if file is None:
        if as_json:
            here.print_json({"path": None, "task": entry.id, "preset": preset, "yaml": text})
        else:
            typer.echo(text, nl=False)
        return
    file.write_text(text, encoding="utf-8")
    if as_json:
        here.print_json({"path": str(file), "task": entry.id, "preset": preset})
        return
    first = "" if sample else "Set data.path in it, then: "
    here.say(f"Wrote {file}. {first}luthier run {file}")


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


def _preset_of(here: Invocation, task: Task, name: str) -> Preset:
    """The preset of that name, with or without its task. Raises LuthierError."""
    from luthier.presets import Library
    from luthier.trainers.errors import LuthierError

    from ..fitting import auto_preset

    library = Library(here.home.presets)
    if name == "auto":
        return auto_preset(here, task, library)

    preset = library.find(name, task.id)
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
