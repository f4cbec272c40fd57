"""Runs as a table."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from rich.text import Text

from luthier.trainers.errors import LuthierError

from ... import text
from ...models import Run
from ...states import RunState
from ..invocation import Invocation
from .tables import NARROW, STATE_STYLES, add_row, plain_table

_BAR = 10
_SPARK = 12
# One request a run, so only what a person looks at first gets its curve.
_CURVES = 20


def states_called(names: Iterable[str]) -> list[RunState]:
    """The states of these names; ``active`` stands for all that are not finished.

    Raises:
        LuthierError: there is no such state; names the nearest.
    """
    known = {state.value: [state] for state in RunState}
    known["active"] = [state for state in RunState if not state.finished]
    found: list[RunState] = []
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Choose from {', '.join(known)}."
            raise LuthierError(f"--state {name}: there is no such state.", hint=hint)
        found += known[name]
    return found


def show_runs(here: Invocation, runs: Sequence[Run]) -> None:
    """The table: what each run is, how far, and how it learns."""
    if not runs:
        here.say("There are no runs yet. Start one with: luthier run SPEC, or see: luthier demo")
        return
    now = time.time()
    wide = here.console.width >= 110
    narrow = here.console.width < NARROW
    headings = ["|run", "name", "|state", "|progress", ">loss", ">age"]
    if wide:
        headings = ["|run", "name", "task", "model", "|state", "|progress", ">loss", "", ">age"]
    if narrow:
        headings = ["|run", "|state", ">done"]
    table = plain_table(*headings)
    for index, run in enumerate(runs):
        state = Text(run.state.value, style=STATE_STYLES[run.state.value])
        loss = _loss(run)
        age = text.age(now - run.created_at)
        if narrow:
            progress = run.progress
            done = text.percent(progress.step, progress.total) if progress.total else ""
            add_row(table, f"{run.id}\n{run.name}", state, done)
        elif wide:
            curve = _curve(here, run) if index < _CURVES and loss else ""
            model = run.model.rstrip("/").rsplit("/", 1)[-1]
            add_row(
                table, run.id, run.name, run.task, model, state, _progress(here, run), loss,
                Text(curve, style="green"), age,
            )  # fmt: skip
        else:
            add_row(table, run.id, run.name, state, _progress(here, run), loss, age)
    here.console.print(table)


def _progress(here: Invocation, run: Run) -> Text:
    progress = run.progress
    if not progress.total:
        return Text(f"place {run.queue_position + 1}" if run.queue_position is not None else "")
    drawn = text.bar(progress.step, progress.total, _BAR, unicode=here.unicode)
    return Text.assemble((drawn, "blue"), f" {text.percent(progress.step, progress.total):>4}")


def _loss(run: Run) -> str:
    loss = run.last_metrics.get("loss")
    return "" if loss is None else text.number(loss)


def _curve(here: Invocation, run: Run) -> str:
    try:
        values = here.client.points(run.id, "loss", points=_SPARK * 2).values
    except LuthierError:
        # The run may have been removed since the list was made.
        return ""
    return text.sparkline(values, _SPARK, unicode=here.unicode)
