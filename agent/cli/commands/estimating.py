"""estimate: whether a spec fits, before it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from ..invocation import invocation
from ..options import (
    AssumedCount,
    AssumedKind,
    AssumedMemory,
    DataLengths,
    HostName,
    Json,
    Settings,
    SpecFile,
    flag,
)


def estimate(
    context: typer.Context,
    spec: SpecFile,
    settings: Settings = None,
    exact: Annotated[
        bool, flag("--exact", help="Build the real model in a worker: seconds, no GPU needed.")
    ] = False,
    host: HostName = None,
    memory: AssumedMemory = None,
    kind: AssumedKind = None,
    count: AssumedCount = None,
    data: DataLengths = True,
    as_json: Json = False,
) -> None:
    """Say how much memory a run takes, part by part, and whether it fits.

    Exit code 2 when it does not.
    """
    from ..estimating import ask_estimate
    from ..exit_codes import ExitCode
    from ..views import estimates as view

    here = invocation(context)
    found = ask_estimate(
        here,
        spec,
        settings or [],
        exact=exact,
        host=host,
        memory=memory,
        kind=kind,
        count=count,
        data=data,
    )
    if as_json:
        here.print_json(found)
    else:
        view.show(here, found, str(spec))
    if not found.fits:
        raise typer.Exit(ExitCode.WRONG_INPUT)


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("estimate", rich_help_panel="Specs and data")(estimate)
