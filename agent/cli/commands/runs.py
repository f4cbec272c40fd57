"""run, runs, show, stop, resume, remove: starting runs and looking after them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..invocation import invocation
from ..options import Json, RunName, RunNames, Settings, SpecFile, flag

if TYPE_CHECKING:
    from ...models import Run
    from ..invocation import Invocation

Wait = Annotated[
    bool, flag("--wait", "-w", help="Show the run and end with it; the exit code tells.")
]


def run(
    context: typer.Context,
    spec: SpecFile,
    settings: Settings = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.", show_default=False)] = None,
    preset: Annotated[
        Literal["auto"] | None,
        typer.Option(
            help="Change what has to change for the run to fit, and say why.", show_default=False
        ),
    ] = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Queue a run; the agent starts it when a device is free."""
    from luthier.trainers.spec.file import load_spec

    here = invocation(context)
    overrides = list(settings or [])
    if name is not None:
        overrides.append(f"name={json.dumps(name)}")
    # Read here first: a mistake is told without an agent, with the line it stands on.
    load_spec(spec, overrides)
    if preset is not None:
        from ..fitting import fitted_overrides

        overrides = fitted_overrides(here, spec, overrides)
    submitted = here.client.submit(
        spec.read_text(encoding="utf-8"), source=str(spec), overrides=overrides
    )
    _go_on(here, submitted, "queued", wait=wait, as_json=as_json)


def runs(
    context: typer.Context,
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="Only runs in this state; repeatable. active means any that is not finished.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")
    ] = 50,
    as_json: Json = False,
) -> None:
    """List the runs, newest first."""
    from ..views.run_list import show_runs, states_called

    here = invocation(context)
    found = here.client.runs(states_called(state or []), limit=limit)
    if as_json:
        here.print_json(found)
    else:
        show_runs(here, found)


def show(context: typer.Context, run: RunName, as_json: Json = False) -> None:
    """Show everything about a run."""
    from ..views.reports import newest_reports, show_reports
    from ..views.run_detail import show_run

    here = invocation(context)
    detail = here.client.run(run)
    reports = newest_reports(here.client, detail.id)
    if as_json:
        here.print_json({**detail.model_dump(mode="json"), "reports": reports})
    else:
        show_run(here, detail)
        show_reports(here, reports)


def stop(
    context: typer.Context,
    run: RunName,
    now: Annotated[
        bool, flag("--now", help="Without a checkpoint: end the processes at once.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stop a run; it saves a checkpoint first and can be resumed."""
    here = invocation(context)
    stopped = here.client.stop(run, now=now)
    if as_json:
        here.print_json(stopped)
        return
    how = "its processes are being ended" if now else "it saves a checkpoint and leaves"
    if stopped.state.finished:
        here.say(f"{stopped.id} is {stopped.state.value}.")
    else:
        here.say(f"{stopped.id} is stopping: {how}. See: luthier watch {stopped.id}")


def resume(
    context: typer.Context,
    run: RunName,
    settings: Settings = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that has ended, from its last checkpoint."""
    here = invocation(context)
    resumed = here.client.resume(run, overrides=list(settings or []))
    _go_on(here, resumed, "queued again", wait=wait, as_json=as_json)


def remove(
    context: typer.Context,
    runs: RunNames,
    as_json: Json = False,
) -> None:
    """Delete runs that have ended, with their folders."""
    here = invocation(context)
    # All of them are looked up first, and those that are refused stand first, so that a mistake
    # deletes nothing.
    known = [here.client.run(name) for name in runs]
    for each in sorted(known, key=lambda run: run.state.finished):
        here.client.remove(each.id)
        if not as_json:
            here.say(f"{each.id} is removed.")
    if as_json:
        here.print_json({"removed": [each.id for each in known]})


def _go_on(here: Invocation, run: Run, what: str, *, wait: bool, as_json: bool) -> None:
    """Say that the run is in the queue, or wait for its end."""
    from ..exit_codes import of_run
    from ..watch import show as watching

    if not wait:
        if as_json:
            here.print_json(run)
        else:
            here.say(f"{run.id} is {what} ({run.name}). Watch it with: luthier watch {run.id}")
        return
    if as_json:
        ended = watching.wait(here, run.id)
        here.print_json(here.client.run(run.id))
    else:
        ended = watching.watch(here, run.id)
    raise typer.Exit(of_run(ended.state))


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    panel = "Runs"
    for name, command in (
        ("run", run),
        ("runs", runs),
        ("show", show),
        ("stop", stop),
        ("resume", resume),
        ("remove", remove),
    ):
        app.command(name, rich_help_panel=panel)(command)
