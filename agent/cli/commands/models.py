"""models: what people fine-tune, with what is known of it; works offline."""

from __future__ import annotations

from typing import Annotated

import typer

from ..completion import complete_tasks
from ..invocation import invocation
from ..options import Json, flag


def models(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS",
            help="Only models whose id, title, family or licence has all these words.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="Only models that this task starts from.",
            autocompletion=complete_tasks,
            show_default=False,
        ),
    ] = None,
    cached: Annotated[bool, flag("--cached", help="Only models that are on this machine.")] = False,
    as_json: Json = False,
) -> None:
    """List models to start from: size, context, licence, and whether it is here."""
    from luthier.presets.catalog import models as known
    from luthier.presets.catalog import search
    from luthier.presets.memory import find_model
    from luthier.trainers.registry import find_task

    from ..views import models as views

    here = invocation(context)
    wanted = find_task(task).id if task else None
    found = [
        views.ListedModel(entry, cached=find_model(entry.id) is not None)
        for entry in search(words or (), wanted)
    ]
    if cached:
        found = [each for each in found if each.cached]
    if as_json:
        here.print_json([each.row() for each in found])
    elif len(found) == 1:
        views.show_model(here, found[0])
    else:
        views.show_models(here, found, of=len(known()))


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("models", rich_help_panel="Specs and data")(models)
