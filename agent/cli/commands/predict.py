"""predict: what a run's result says about new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..invocation import invocation
from ..options import RunName, flag


def predict(
    context: typer.Context,
    run: RunName,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Texts, JSON objects, tables, text files, pictures or folders; - reads lines.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write; default: standard output.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, flag("--force", help="Replace the file.")] = False,
    cpu: Annotated[bool, flag("--cpu", help="Use the CPU, whatever else there is.")] = False,
) -> None:
    """Predict with the result of a run; prints one JSON object for each input."""
    from ..predicting import predict as predict_to

    here = invocation(context)
    count = predict_to(here, run, sources, output, force=force, cpu=cpu)
    if output is not None:
        here.say(f"Wrote {count} predictions to {output}.")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("predict", rich_help_panel="Results")(predict)
