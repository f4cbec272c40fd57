"""The agent's own state."""

from __future__ import annotations

import time

from ... import text
from ...models import AgentStatus
from ..invocation import Invocation
from .tables import facts


def show_status(here: Invocation, status: AgentStatus, *, as_json: bool) -> None:
    """The agent that runs, with how many runs it has in each state."""
    if as_json:
        here.print_json(status)
        return
    counts = [f"{number} {state}" for state, number in status.runs.items() if number]
    here.console.print(
        facts(
            [
                ("agent", f"version {status.version}, pid {status.pid}"),
                ("home", status.home),
                ("up", text.duration(time.time() - status.started_at)),
                ("runs", ", ".join(counts) or "none"),
                ("port", str(status.tcp_port) if status.tcp_port else ""),
                *[("problem", problem) for problem in status.problems],
            ]
        )
    )
