"""hardware and doctor: the machine, and whether everything needed is there."""

from __future__ import annotations

from typing import Annotated

import typer

from ..invocation import invocation
from ..options import Json, flag


def hardware(
    context: typer.Context,
    watch: Annotated[bool, flag("--watch", help="Go on showing it, until ctrl-c.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.2, help="Seconds between two looks, with --watch.")
    ] = 2.0,
    as_json: Json = False,
) -> None:
    """Show the CPU, memory, disk and accelerators, and which runs use them.

    With --watch and --json every look is one JSON object a line.
    """
    from ..views import hardware as view

    here = invocation(context)
    if watch:
        view.watch(here, interval, as_json=as_json)
    elif as_json:
        here.print_json(here.client.hardware())
    else:
        view.show(here, here.client.hardware())


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check this installation and say what to do about what is missing."""
    from ..doctor import run_checks
    from ..exit_codes import ExitCode
    from ..views import checks as view

    here = invocation(context)
    with here.busy("Looking ..."):
        found = run_checks(here)
    if as_json:
        here.print_json(view.as_data(found))
    else:
        view.show(here, found)
    if any(check.level == "red" for check in found):
        raise typer.Exit(ExitCode.FAILED)


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("hardware", rich_help_panel="This machine")(hardware)
    app.command("doctor", rich_help_panel="This machine")(doctor)
