"""demo: a first run from start to end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ..invocation import invocation
from ..options import Json, flag

if TYPE_CHECKING:
    from ...models import Run
    from ..invocation import Invocation

_ASKING = "Asking base model and adapter what neither was trained on ..."


def demo(
    context: typer.Context,
    keep: Annotated[
        bool, flag("--keep", help="Keep the runs of earlier demos; else they go.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a small adapter here and now, and compare it with its base model.

    Needs no network and about a minute. On a terminal a chat with the adapter follows.
    """
    from ...models import Sampling
    from ..chatting.opening import opened_chat
    from ..chatting.terminal import Wishes, talk
    from ..demo_run import compare, forget_earlier, submit_demo
    from ..exit_codes import ExitCode
    from ..views import demo as view

    here = invocation(context)
    started = time.monotonic()
    if not keep:
        forget_earlier(here.client)
    run = submit_demo(here.client)
    _wait(here, run, as_json=as_json)
    with opened_chat(here, [run.id], offline=True) as chat:
        with here.busy(_ASKING):
            if not as_json and not here.draws:
                here.say(_ASKING)
            comparison = compare(here.client, chat, run)
        seconds = time.monotonic() - started
        if as_json:
            here.print_json(view.as_data(comparison, run.id, seconds))
        else:
            view.show_comparison(here, comparison)
            view.show_next_steps(here, run.id, seconds, well=comparison.convincing)
            if here.terminal:
                greedy = Wishes(sampling=Sampling(setting="deterministic"))
                talk(here, chat, [here.client.run(run.id)], greedy)
    if not comparison.convincing:
        raise typer.Exit(ExitCode.FAILED)


def _wait(here: Invocation, run: Run, *, as_json: bool) -> None:
    """Watch the run to its end; leave with its exit code unless it succeeded."""
    from ...states import RunState
    from ..exit_codes import of_run
    from ..watch import show

    ended = show.wait(here, run.id) if as_json else show.watch(here, run.id)
    if ended.state is RunState.SUCCEEDED:
        return
    if as_json:
        here.remark(f"error: the demo run {ended.state.value}: {ended.reason}", style="")
    raise typer.Exit(of_run(ended.state))


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("demo", rich_help_panel="First steps")(demo)
