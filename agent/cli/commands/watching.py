"""watch, logs, metrics: what a run does and did."""

from __future__ import annotations

from typing import Annotated

import typer

from ..invocation import invocation
from ..options import Json, RunName, flag


def watch(context: typer.Context, run: RunName, as_json: Json = False) -> None:
    """Show a run as it goes, until it ends; ctrl-c leaves it running.

    With --json every change is one JSON object a line.
    """
    from ..exit_codes import of_run
    from ..watch import show

    ended = show.watch(invocation(context), run, as_json=as_json)
    raise typer.Exit(of_run(ended.state))


def logs(
    context: typer.Context,
    run: RunName,
    follow: Annotated[
        bool, flag("--follow", "-f", help="Go on with what is added, to the run's end.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option("--tail", "-n", min=0, help="Only the last lines.", show_default=False),
    ] = None,
    attempt: Annotated[
        int | None,
        typer.Option(min=1, help="Which attempt; default: the latest.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what the processes of a run wrote.

    With --json it is one object, with --follow one object a line.
    """
    from .. import log_output

    request = log_output.Request(run, attempt=attempt, tail=tail)
    here = invocation(context)
    if follow:
        log_output.follow(here, request, as_json=as_json)
    else:
        log_output.show(here, request, as_json=as_json)


def metrics(
    context: typer.Context,
    run: RunName,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these metrics.", show_default=False),
    ] = None,
    csv: Annotated[bool, flag("--csv", help="Print every point as CSV, one line a step.")] = False,
    as_json: Json = False,
) -> None:
    """Show the metrics of a run with their course."""
    from luthier.trainers.errors import LuthierError

    from ..views import metrics as view

    if csv and as_json:
        raise LuthierError("--csv and --json exclude each other; choose one.")
    here = invocation(context)
    chosen = view.chosen_series(here.client.series(run), names or [])
    if as_json:
        here.print_json(view.as_data(here.client, run, chosen))
    elif csv:
        view.write_csv(here.client, run, chosen)
    else:
        view.show(here, run, chosen)


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for name, command in (("watch", watch), ("logs", logs), ("metrics", metrics)):
        app.command(name, rich_help_panel="Runs")(command)
