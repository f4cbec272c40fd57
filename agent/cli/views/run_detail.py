"""One run in full."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from luthier.trainers.registry import find_task

from ... import text
from ...models import Attempt, RunDetail
from ...states import RunState
from ..invocation import Invocation
from .tables import add_row, facts, plain_table


def show_run(here: Invocation, run: RunDetail) -> None:
    """What the run is, how it stands, what it brought and what can be done with it."""
    here.console.print(facts(_facts(run)))
    if run.attempts:
        here.console.print(_attempts(run.attempts))
    for line in _next_steps(run):
        here.say(line)


def _facts(run: RunDetail) -> list[tuple[str, str]]:
    now = time.time()
    progress = run.progress
    how_far = f"step {progress.step} of {progress.total}" if progress.total else ""
    place = "" if run.queue_position is None else f"place {run.queue_position + 1} in the queue"
    left = text.duration(progress.seconds_left) if run.state is RunState.RUNNING else ""
    return [
        ("run", run.id),
        ("name", run.name),
        ("task", run.task),
        ("model", run.model),
        ("data", str(run.spec.get("data", {}).get("path", ""))),
        ("state", " ".join(filter(None, [run.state.value, place]))),
        ("phase", "" if run.state.finished else run.phase),
        ("reason", run.reason),
        ("hint", run.hint),
        ("progress", how_far),
        ("left", left),
        ("created", f"{text.age(now - run.created_at)} ago"),
        ("took", _took(run, now)),
        ("host", run.host),
        ("placement", _placement(run.placement)),
        ("metrics", _metrics(run)),
        ("warnings", str(run.warnings) if run.warnings else ""),
        ("result", str(Path(run.folder) / run.artifact) if run.artifact else ""),
        ("folder", run.folder),
    ]


def _took(run: RunDetail, now: float) -> str:
    if run.started_at is None:
        return ""
    return text.duration((run.ended_at or now) - run.started_at)


def _placement(placement: dict[str, Any] | None) -> str:
    if placement is None:
        return ""
    devices = ", ".join(placement.get("devices", []))
    dtypes = ", ".join(placement.get("dtypes", {}))
    return f"{devices} ({dtypes}), {placement.get('strategy', '')}"


def _metrics(run: RunDetail) -> str:
    shown = [f"{name} {text.number(value)}" for name, value in sorted(run.last_metrics.items())]
    return ", ".join(shown)


def _attempts(attempts: list[Attempt]) -> Any:
    table = plain_table(">attempt", "devices", ">took", "ended", ">log")
    for attempt in attempts:
        took = text.duration(attempt.ended_at - attempt.started_at) if attempt.ended_at else ""
        add_row(
            table,
            str(attempt.number),
            ", ".join(attempt.devices),
            took,
            _how_it_ended(attempt),
            text.size(attempt.log_bytes),
        )
    return table


def _how_it_ended(attempt: Attempt) -> str:
    if attempt.ended_at is None:
        return "runs"
    parts = []
    if attempt.exit_code is not None:
        parts.append(f"code {attempt.exit_code}")
    if attempt.signal is not None:
        parts.append(f"signal {attempt.signal}")
    if attempt.stopped_by:
        parts.append(f"stopped by {attempt.stopped_by}")
    return ", ".join(parts) or "without a word"


def _uses(run: RunDetail) -> list[str]:
    task = find_task(run.task)
    if task.predict:
        return [f"Try it with: luthier predict {run.id} INPUT"]
    return [f"Talk to it with: luthier chat {run.id}"] if task.chats else []


def _next_steps(run: RunDetail) -> list[str]:
    if not run.state.finished:
        return [f"Watch it with: luthier watch {run.id}"]
    if run.state is RunState.SUCCEEDED:
        return [
            *_uses(run),
            f"Take it along with: luthier export {run.id} --to FOLDER",
        ]
    steps = [f"See what it said with: luthier logs {run.id}"]
    if run.resumable:
        steps.append(f"Go on from its last checkpoint with: luthier resume {run.id}")
    return steps
