"""host add|list|show|check|setup|remove|shell|fetch: other machines that runs execute on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ..invocation import invocation
from ..options import Json, RunName, flag

app = typer.Typer(help="Other machines that runs execute on, over plain SSH.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The host's name.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SHA256:...",
        help="A host key to trust without being asked. Repeatable.",
        show_default=False,
    ),
]


@app.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Other machines that runs execute on, over plain SSH."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def add(
    context: typer.Context,
    name: Name,
    target: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS", help="user@address:port, or a name that ~/.ssh/config knows."
        ),
    ],
    folder: Annotated[
        str | None,
        typer.Option(help="Where everything of ours lies there [~/.luthier].", show_default=False),
    ] = None,
    offline: Annotated[
        bool | None,
        typer.Option("--offline/--online", help="The host has no way to the hub."),
    ] = None,
    cpu_slots: Annotated[
        int | None,
        typer.Option(min=1, help="Runs that may use its CPU at once.", show_default=False),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(min=0, help="What an hour of one of its devices costs.", show_default=False),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(help="Of the price, such as EUR [USD].", show_default=False),
    ] = None,
    accept: Accept = None,
    as_json: Json = False,
) -> None:
    """Add a host, or change one, and connect to it once."""
    from luthier.trainers.errors import LuthierError

    from ..hosting import reach

    if currency is not None and not currency.strip():
        raise LuthierError("--currency is empty.", hint="Name one, such as EUR.")
    here = invocation(context)
    here.client.hosts.add(
        name,
        target,
        folder=folder,
        offline=offline,
        cpu_slots=cpu_slots,
        price_per_hour=price,
        currency=currency,
    )
    host = reach(here, name, accept or ()).host
    if as_json:
        here.print_json(host)
        return
    here.say(f"{name} is added and can be reached.")
    if not host.python:
        here.say(f"Give it a Python that can train: luthier host setup {name}")


@app.command("list")
def list_hosts(context: typer.Context, as_json: Json = False) -> None:
    """List the hosts, this one first."""
    from ..views import hosts as view

    here = invocation(context)
    found = here.client.hosts.all()
    here.print_json(found) if as_json else view.show_list(here, found)


@app.command()
def show(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show a host with its hardware, when it can be reached."""
    from ...errors import RefusedError
    from ..views import hardware as hardware_view
    from ..views import hosts as view

    here = invocation(context)
    host = here.client.hosts.get(name)
    try:
        report = here.client.hosts.hardware(name)
    except RefusedError:
        # It cannot be reached, which the host tells itself.
        report = None
        host = here.client.hosts.get(name)
    if as_json:
        hardware = report.model_dump(mode="json") if report else None
        here.print_json({**host.model_dump(mode="json"), "hardware": hardware})
        return
    view.show(here, host)
    if report is not None:
        hardware_view.show(here, report)


@app.command()
def check(context: typer.Context, name: Name, accept: Accept = None, as_json: Json = False) -> None:
    """Check everything that a run there needs, and say what would mend it."""
    from luthier.trainers.errors import LuthierError

    from ..exit_codes import ExitCode
    from ..hosting import reach
    from ..views import checks as check_view
    from ..views import hosts as view

    here = invocation(context)
    try:
        reach(here, name, accept or ())
    except LuthierError as error:
        if getattr(error, "status", 0) == 404 or getattr(error, "exit_code", 0) == 3:
            raise
        # The preflight says the same as its first line.
    with here.busy(f"Looking at {name} ..."):
        found = here.client.hosts.check(name)
    if as_json:
        here.print_json(check_view.as_data(view.as_checks(found)))
    else:
        view.show_checks(here, found)
    if any(each.level == "red" for each in found):
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def setup(
    context: typer.Context,
    name: Name,
    python: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="A Python there that has the training packages already.",
            show_default=False,
        ),
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of wheels here, for a host that cannot download.",
            show_default=False,
        ),
    ] = None,
    accept: Accept = None,
    as_json: Json = False,
) -> None:
    """Give a host a Python that can train: a virtual environment, unless one is named."""
    from luthier.trainers.errors import LuthierError

    from ..hosting import reach

    if python is not None and wheels is not None:
        raise LuthierError(
            "--python names a Python that has the packages, --wheels makes another one.",
            hint="Give one of the two.",
        )
    here = invocation(context)
    reach(here, name, accept or ())
    folder = str(wheels.absolute()) if wheels else None
    for line in here.client.hosts.set_up(name, python=python, wheels=folder):
        if line.error:
            raise LuthierError(line.error)
        if line.ended and as_json:
            here.print_json(here.client.hosts.get(name))
        elif as_json:
            here.remark(line.text)
        else:
            here.say(line.text)


@app.command()
def remove(
    context: typer.Context,
    name: Name,
    keep: Annotated[bool, flag("--keep", help="Leave what lies there.")] = False,
    force: Annotated[
        bool, flag("--force", help="Also when it has active runs; they are given up.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Forget a host, and delete from it what is ours."""
    here = invocation(context)
    here.client.hosts.remove(name, clean=not keep, force=force)
    here.print_json({"removed": name}) if as_json else here.say(f"{name} is removed.")


@app.command()
def shell(context: typer.Context, name: Name) -> None:
    """Open a shell on a host with ssh itself."""
    from luthier.trainers.errors import LuthierError

    from ...hosts.ssh_config import ssh_command
    from ...hosts.target import parse_target

    here = invocation(context)
    host = here.client.hosts.get(name)
    if not host.target:
        raise LuthierError(f"{name} is this machine.")
    known = [here.home.path / "hosts" / "known_hosts", Path.home() / ".ssh" / "known_hosts"]
    os.execvp("ssh", ssh_command(parse_target(host.target), known))


@app.command()
def fetch(
    context: typer.Context,
    run: RunName,
    patterns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATTERN]...",
            help="Which files of the run folder, such as 'artifacts/checkpoints/*'.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring files of a run here from its host; silent: everything below artifacts."""
    from ... import text

    here = invocation(context)
    with here.busy("Fetching ..."):
        found = here.client.hosts.fetch(run, patterns or ())
    if as_json:
        here.print_json({"files": found})
    else:
        here.say(f"{text.count(len(found), 'file')} of {run} are here.")
