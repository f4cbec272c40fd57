"""agent start|stop|status|logs|install|run: the daemon behind everything."""

from __future__ import annotations

from typing import Annotated

import typer

from ..invocation import invocation
from ..options import Json, flag

app = typer.Typer(help="Start, stop and look at the agent that owns the runs.")


@app.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Start, stop and look at the agent that owns the runs."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def start(context: typer.Context, as_json: Json = False) -> None:
    """Start the agent unless it runs; every other command does so by itself."""
    from ..views import agent as view

    here = invocation(context)
    view.show_status(here, here.client.status(), as_json=as_json)


@app.command()
def stop(context: typer.Context, as_json: Json = False) -> None:
    """End the agent; runs go on, and the next agent takes them over."""
    from ..agent_control import stop_agent

    here = invocation(context)
    with here.busy("Ending the agent ..."):
        was_running = stop_agent(here.home)
    if as_json:
        here.print_json({"was_running": was_running})
    else:
        here.say("The agent has ended; runs go on." if was_running else "No agent is running.")


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show how the agent is; exit code 3 when none is running."""
    from ...client import Client
    from ..views import agent as view

    here = invocation(context)
    with Client(here.home, start=False) as client:
        view.show_status(here, client.status(), as_json=as_json)


@app.command()
def logs(
    context: typer.Context,
    follow: Annotated[
        bool, flag("--follow", "-f", help="Go on with what is added, until ctrl-c.")
    ] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=0, help="How many last lines.")] = 50,
    as_json: Json = False,
) -> None:
    """Print the agent's own log."""
    from ..agent_control import follow_log, last_lines

    here = invocation(context)
    lines = last_lines(here.home.log, tail)
    if as_json and not follow:
        here.print_json({"path": str(here.home.log), "lines": lines})
        return
    for line in lines:
        here.print_json_line({"line": line}) if as_json else typer.echo(line)
    if follow:
        for line in follow_log(here.home.log):
            here.print_json_line({"line": line}) if as_json else typer.echo(line)


@app.command()
def install(context: typer.Context, as_json: Json = False) -> None:
    """Write a systemd user unit that keeps the agent running."""
    from ...systemd import unit_path, unit_text

    here = invocation(context)
    unit = unit_path()
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text(unit_text(here.home), encoding="utf-8")
    if as_json:
        here.print_json({"path": str(unit)})
        return
    here.say(f"Wrote {unit}. Enable it with: systemctl --user enable --now {unit.name}")
    here.say("To keep it after you log out: loginctl enable-linger")


@app.command()
def run(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Serve the OpenAI API on this loopback port too; 0 picks one.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the agent in the foreground, as service managers want it."""
    from ..agent_control import run_agent

    raise typer.Exit(run_agent(invocation(context).home, port))
