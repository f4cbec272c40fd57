"""export: take a run's result along."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..invocation import invocation
from ..options import Json, RunName, flag


def export(
    context: typer.Context,
    run: RunName,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write; new or empty.")],
    merge: Annotated[bool, flag("--merge", help="Fold the adapter into the base model.")] = False,
    checkpoint: Annotated[
        int | None,
        typer.Option(
            metavar="STEP", help="This checkpoint instead of the result.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy the result of a run to a folder: adapter and card, or the merged model."""
    from ..exporting import export_run

    here = invocation(context)
    written = export_run(here, run, to, merge=merge, checkpoint=checkpoint, quiet=as_json)
    if as_json:
        here.print_json(written)
    else:
        here.say(f"Wrote {written['path']}.")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("export", rich_help_panel="Results")(export)
