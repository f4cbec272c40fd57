"""Everything that happens to one run, as it happens."""

from __future__ import annotations

from collections.abc import Iterator

from luthier.trainers.errors import LuthierError

from ...client import Client
from ...models import Message, Run, StoredEvent

_PAGE = 1000


def follow(client: Client, name: str) -> Iterator[Run | StoredEvent]:
    """A run's past events, then every change, until the run has ended.

    Yields the Run first and after each of its changes, and in between the worker events in
    order, each once. The last thing is the ended Run; every event stands before it.

    Raises:
        LuthierError: there is no such run, or it was removed meanwhile.
    """
    # Asked before the run, so that no change falls between the answer and the stream.
    since = client.status().sequence
    run: Run = client.run(name)
    yield run
    seen = 0
    for event in _events(client, run.id, seen):
        seen = event.number
        yield event
    if run.state.finished:
        yield run
        return
    for message in client.stream(since):
        if message.run_id != run.id and message.type != "reset":
            continue
        if message.type == "removed":
            raise LuthierError(f"The run {run.id} was removed.")
        if message.type not in ("run", "events", "reset"):
            continue
        if message.type == "reset":
            run = client.run(run.id)
        elif message.type == "run":
            run = Run.model_validate(message.data)
        for event in _told(message, seen) or _events(client, run.id, seen):
            seen = event.number
            yield event
        if message.type != "events":
            yield run
            if run.state.finished:
                return


def _told(message: Message, seen: int) -> list[StoredEvent]:
    """The new events in the message itself; none when some before them are not known yet."""
    first = message.data.get("number")
    if message.type != "events" or first is None or first > seen + 1:
        return []
    attempt = message.data["attempt"]
    told = [
        StoredEvent(number=number, attempt=attempt, event=event)
        for number, event in enumerate(message.data["events"], start=first)
    ]
    return [event for event in told if event.number > seen]


def _events(client: Client, run_id: str, after: int) -> Iterator[StoredEvent]:
    while True:
        page = client.events(run_id, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].number
