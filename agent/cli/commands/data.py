"""data inspect: a dataset as training will see it."""

from __future__ import annotations

from typing import Annotated

import typer

from ..completion import complete_tasks
from ..invocation import invocation
from ..options import Json, Settings

app = typer.Typer(help="Look at datasets before training on them.")


@app.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Look at datasets before training on them."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def inspect(
    context: typer.Context,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A csv, tsv, jsonl, json or parquet file, a folder, a hub id, or a run spec.",
        ),
    ],
    task: Annotated[
        str, typer.Option(help="What it is for.", autocompletion=complete_tasks)
    ] = "llm-sft",
    model: Annotated[
        str | None,
        typer.Option(
            help="Model whose tokenizer and chat template to use; without one, lengths are in "
            "characters.",
            show_default=False,
        ),
    ] = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Show the format, columns, lengths and problems of a dataset, and two rows as trained on.

    Exit code 2 when a run would refuse the data.
    """
    from luthier.trainers.registry import find_task

    from ..exit_codes import ExitCode
    from ..inspecting import inspect_data
    from ..views import data as view

    here = invocation(context)
    find_task(task)
    found = inspect_data(here, path, task=task, model=model, settings=settings or [])
    if as_json:
        here.print_json(found)
    else:
        view.show(here, found)
    if found.problems:
        raise typer.Exit(ExitCode.WRONG_INPUT)
