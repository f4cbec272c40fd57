"""Server-sent events: the text format of /v1/events and of streamed answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    """One event: its data, and its id and name where the server gave them."""

    data: str
    id: str = ""
    name: str = ""


def encode_event(data: str, *, identifier: int | None = None, name: str = "") -> str:
    """The event as it goes over the wire. ``data`` is one line, such as JSON."""
    head = f"id: {identifier}\n" if identifier is not None else ""
    if name:
        head += f"event: {name}\n"
    return f"{head}data: {data}\n\n"


def decode_events(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """The events in lines without their ends; comments are passed over."""
    data: list[str] = []
    identifier = name = ""
    for line in lines:
        if not line:
            if data:
                yield ServerEvent("\n".join(data), identifier, name)
            data, identifier, name = [], "", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "id":
            identifier = value
        elif field == "event":
            name = value
