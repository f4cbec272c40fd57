"""presets: the library, one's own presets, and what fits this machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..completion import complete_presets, complete_tasks
from ..invocation import invocation
from ..options import AssumedCount, AssumedKind, AssumedMemory, HostName, Json, Settings, SpecFile
from ..options import DataLengths as Data

if TYPE_CHECKING:
    from luthier.presets.own import OwnPresets

    from ..invocation import Invocation

PresetName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="TASK/NAME; several joined by + are one: llm-sft/balanced+llama.",
        autocompletion=complete_presets,
    ),
]


class _NamesToo(TyperGroup):
    """``presets NAME`` is ``presets show NAME``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and "/" in args[0] and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        found = super().shell_complete(ctx, incomplete)
        if "/" in incomplete:
            show = self.commands["show"]
            found += show.params[0].shell_complete(ctx, incomplete)
        return found


app = typer.Typer(
    cls=_NamesToo, help="List and change the presets, and find what fits this machine."
)


@app.callback(invoke_without_command=True)
def group(context: typer.Context, as_json: Json = False) -> None:
    """List and change the presets, and find what fits this machine.

    Alone it lists them; with a preset's name it shows that one.
    """
    if context.invoked_subcommand is None:
        _list(invocation(context), None, as_json=as_json)


@app.command("list")
def list_(
    context: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="Only this task's.",
            autocompletion=complete_tasks,
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the presets."""
    _list(invocation(context), task, as_json=as_json)


@app.command()
def show(context: typer.Context, name: PresetName, as_json: Json = False) -> None:
    """Show what a preset sets."""
    from ..views import catalogue

    here = invocation(context)
    preset = _own(here).library.find(name)
    if as_json:
        here.print_json(preset)
    else:
        catalogue.show_preset(here, preset)


@app.command()
def explain(context: typer.Context, name: PresetName, as_json: Json = False) -> None:
    """Explain a preset: what it is for, what it trades, and each of its settings."""
    from ..views import presets as view

    here = invocation(context)
    preset = _own(here).library.find(name)
    if as_json:
        here.print_json({**preset.model_dump(mode="json"), "explained": view.explained(preset)})
    else:
        view.show_explained(here, preset)


@app.command()
def fit(
    context: typer.Context,
    spec: SpecFile,
    settings: Settings = None,
    host: HostName = None,
    memory: AssumedMemory = None,
    kind: AssumedKind = None,
    count: AssumedCount = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="A setting that must stay, such as training.max_length. Repeatable.",
            show_default=False,
        ),
    ] = None,
    data: Data = True,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the spec that fits here.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Let Auto choose what fits: the fastest settings that change nothing about what is learnt.

    Effective batch, epochs and learning rate hold. Exit code 2 when nothing fits.
    """
    from ..estimating import ask_fit
    from ..exit_codes import ExitCode
    from ..views import estimates as view

    here = invocation(context)
    found = ask_fit(
        here,
        spec,
        settings or [],
        host=host,
        memory=memory,
        kind=kind,
        count=count,
        keep=keep or [],
        data=data,
    )
    if output is not None and found.fits:
        output.write_text(view.fitted_yaml(found), encoding="utf-8")
    if as_json:
        here.print_json(found)
    else:
        view.show_fit(here, found)
        if output is not None and found.fits:
            here.say(f"Wrote {output}. Start it with: luthier run {shlex.quote(str(output))}")
    if not found.fits:
        raise typer.Exit(ExitCode.WRONG_INPUT)


@app.command()
def copy(
    context: typer.Context,
    name: PresetName,
    new: Annotated[
        str, typer.Argument(metavar="NEW", help="Name of the copy, or TASK/NAME for another task.")
    ],
    as_json: Json = False,
) -> None:
    """Make a preset of your own from another."""
    here = invocation(context)
    made = _own(here).copy(name, new)
    if as_json:
        here.print_json(made)
        return
    here.say(f"Wrote {made.path}. Change it with: luthier presets edit {made.name}")


@app.command()
def edit(context: typer.Context, name: PresetName, as_json: Json = False) -> None:
    """Edit a preset of your own with VISUAL or EDITOR; what is wrong is told and nothing kept."""
    from ..editing import edited

    here = invocation(context)
    own = _own(here)
    text = edited(own.text(_of_ones_own(own, name)), suffix=".yaml")
    kept = own.write(name, text) if text is not None else own.library.find(name)
    if as_json:
        here.print_json(kept)
    else:
        here.say(f"{kept.name} is {'kept' if text is not None else 'as it was'}: {kept.path}")


@app.command()
def validate(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Only this one.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check your own presets; exit code 2 when something is wrong."""
    from luthier.presets.library import check

    from ..exit_codes import ExitCode

    here = invocation(context)
    library = _own(here).library
    if name is not None:
        check(library.find(name))
        problems, count = [], 1
    else:
        problems, count = library.problems(), len(library.own())
    if as_json:
        here.print_json({"checked": count, "problems": problems})
    elif not problems:
        here.say("1 preset is in order." if count == 1 else f"{count} presets are in order.")
    for problem in [] if as_json else problems:
        here.remark(f"error: {problem}", style="red")
    if problems:
        raise typer.Exit(ExitCode.WRONG_INPUT)


def _list(here: Invocation, task: str | None, *, as_json: bool) -> None:
    from ..views import catalogue

    library = _own(here).library
    found = library.presets(task)
    if as_json:
        here.print_json(found)
        return
    catalogue.show_presets(here, found)
    for problem in library.problems():
        here.remark(f"Left out: {problem}", style="yellow")


def _own(here: Invocation) -> OwnPresets:
    from luthier.presets.own import OwnPresets

    return OwnPresets(here.home.presets)


def _of_ones_own(own: OwnPresets, name: str) -> str:
    from luthier.trainers.errors import LuthierError

    if not own.library.find(name).own:
        raise LuthierError(
            f"{name} belongs to the library.",
            hint=f"Make it yours first: luthier presets copy {name} NEW",
        )
    return name
