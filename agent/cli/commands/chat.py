"""chat: talk to what a run has made."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from ..completion import complete_runs
from ..invocation import invocation
from ..options import Json, flag

if TYPE_CHECKING:
    from ...models import Sampling


class Preset(str, Enum):
    """The ready sets of sampling values."""

    deterministic = "deterministic"
    balanced = "balanced"
    creative = "creative"


Voices = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]...",
        help="Runs whose adapters answer; they share a base model.",
        autocompletion=complete_runs,
        show_default=False,
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="temperature, top_p, top_k, repetition_penalty, max_new_tokens or seed.",
        show_default=False,
    ),
]


def chat(
    context: typer.Context,
    runs: Voices = None,
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
    settings: Values = None,
    offline: Annotated[bool, flag("--offline", help="Open no connection.")] = False,
    cpu: Annotated[bool, flag("--cpu", help="Answer on the CPU, whatever else there is.")] = False,
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
    sampling = _sampling(preset.value, settings or [])
    wishes = Wishes(voice, system, sampling, prompt, as_json)
    known = [here.client.run(name) for name in runs or []]
    ids = [run.id for run in known]
    with opened_chat(here, ids, model, offline=offline, cpu=cpu, stay=stay) as loaded:
        talk(here, loaded, known, wishes)


def _sampling(preset: str, settings: list[str]) -> Sampling:
    """The sampling that the options ask for. Raises LuthierError when one is wrong."""
    from luthier.trainers.errors import LuthierError

    from ...chat.values import with_setting, with_value
    from ...models import Sampling

    sampling = with_setting(Sampling(), preset)
    for given in settings:
        name, separator, value = given.partition("=")
        if not separator:
            raise LuthierError(
                f"--set {given}: not of the form name=value, such as temperature=0.7."
            )
        try:
            sampling = with_value(sampling, name.strip(), value.strip())
        except LuthierError as error:
            raise LuthierError(f"--set {error}") from error
    return sampling


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("chat", rich_help_panel="Results")(chat)
