"""chat: talk to what a run has made."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from ..completion import complete_runs
from ..invocation import invocation
from ..options import Json, flag


class Preset(str, Enum):
    """The ready sets of sampling values."""

    deterministic = "deterministic"
    balanced = "balanced"
    creative = "creative"


def chat(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Runs whose adapters answer; they share a base model.",
            autocompletion=complete_runs,
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A model alone: folder or hub id.", show_default=False),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", "-p", help="Ask this one thing and leave.", show_default=False),
    ] = None,
    voice: Annotated[
        str,
        typer.Option(help="Who answers: base, both, or a run. Default: the last run named."),
    ] = "",
    system: Annotated[str, typer.Option(help="System prompt.", show_default=False)] = "",
    preset: Annotated[Preset, typer.Option(help="How words are chosen.")] = Preset.balanced,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="temperature, top_p, top_k, repetition_penalty, max_new_tokens or seed.",
            show_default=False,
        ),
    ] = None,
    offline: Annotated[bool, flag("--offline", help="Open no connection.")] = False,
    stay: Annotated[
        bool, flag("--stay", help="Leave the model loaded afterwards, until its idle time is over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Talk to the result of a run; /help in the chat shows its commands.

    Through a pipe every line is a prompt and the answers go to standard output, with --json one
    object a line.
    """
    from luthier.trainers.errors import LuthierError

    from ..chatting.opening import opened_chat
    from ..chatting.terminal import Wishes, talk

    if bool(runs) == bool(model):
        raise LuthierError("Name the runs to talk to, or a model with --model.")
    here = invocation(context)
    values = [_pair(each) for each in settings or []]
    wishes = Wishes(voice, system, preset.value, tuple(values), prompt, as_json)
    known = [here.client.run(name) for name in runs or []]
    with opened_chat(here, [run.id for run in known], model, offline=offline, stay=stay) as loaded:
        talk(here, loaded, known, wishes)


def _pair(given: str) -> tuple[str, str]:
    from luthier.trainers.errors import LuthierError

    name, separator, value = given.partition("=")
    if not separator:
        raise LuthierError(f"--set {given}: not of the form name=value, such as temperature=0.7.")
    return name.strip(), value.strip()


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("chat", rich_help_panel="Results")(chat)
