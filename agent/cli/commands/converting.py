"""convert: a spec from another tool's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..invocation import invocation
from ..options import Json, flag


def convert(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Configuration of AutoTrain Advanced, YAML.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write; - is standard output. Default: TASK.yaml.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, flag("--force", help="Overwrite the file.")] = False,
    as_json: Json = False,
) -> None:
    """Turn an AutoTrain configuration into a spec."""
    from luthier.presets.autotrain import read_autotrain, translate

    from ..starter import spec_file, starter_spec

    here = invocation(context)
    found = translate(read_autotrain(file))
    target = spec_file(found.task, output, force=force)
    origin = f"From {file.name}, a configuration of AutoTrain."
    text = starter_spec(found.task, changes=found.settings, origin=origin)
    if target is not None:
        target.write_text(text, encoding="utf-8")
    if as_json:
        here.print_json(
            {
                "path": str(target) if target else None,
                "task": found.task.id,
                "yaml": None if target else text,
                "remarks": found.remarks,
            }
        )
        return
    if target is None:
        typer.echo(text, nl=False)
    for remark in found.remarks:
        here.remark(remark, style="yellow")
    if target is not None:
        here.say(f"Wrote {target}. Look through it, then: luthier run {target}")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("convert", rich_help_panel="Specs and data")(convert)
