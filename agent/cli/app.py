"""The app: global options, and the commands in the order that help shows them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .commands import (
    agent,
    chat,
    converting,
    data,
    demo,
    estimating,
    hosts,
    machine,
    models,
    predict,
    presets,
    results,
    runs,
    specs,
    watching,
)
from .invocation import Invocation, home_from
from .options import flag

app = typer.Typer(
    name="luthier",
    help="Fine-tune models from a terminal: runs that survive anything, here or over SSH.",
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)
for group in (demo, specs, converting, models, estimating, runs, watching, results, predict, chat):
    group.register(app)
app.add_typer(presets.app, name="presets", rich_help_panel="Specs and data")
app.add_typer(data.app, name="data", rich_help_panel="Specs and data")
machine.register(app)
app.add_typer(hosts.app, name="host", rich_help_panel="Other machines")
app.add_typer(agent.app, name="agent", rich_help_panel="This machine")


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of the agent; default: LUTHIER_HOME.", show_default=False),
    ] = None,
    debug: Annotated[bool, flag("--debug", help="Show tracebacks.")] = False,
    no_color: Annotated[bool, flag("--no-color", help="No colours; so does NO_COLOR.")] = False,
    version: Annotated[bool, flag("--version", help="Print the version.")] = False,
) -> None:
    """Fine-tune models from a terminal: runs that survive anything, here or over SSH."""
    context.obj = Invocation(home_from(home), debug=debug, no_color=no_color)
    if version:
        from luthier import __version__

        context.obj.say(f"luthier {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        _terminal_ui_or_help(context)


def _terminal_ui_or_help(context: typer.Context) -> None:
    import importlib
    import importlib.util

    here: Invocation = context.obj
    if here.terminal and importlib.util.find_spec("luthier.tui.app") is not None:
        if here.no_color:
            os.environ["NO_COLOR"] = "1"
        importlib.import_module("luthier.tui.app").main(here.home)
        return
    typer.echo(context.get_help())
