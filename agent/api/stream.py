"""/v1/events: everything that happens, without gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, cast

from fastapi import APIRouter, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ..models import Message
from .agent import Parts

router = APIRouter(prefix="/v1", tags=["events"])
_LONGEST_NUMBER = 2**63 - 1


@router.get("/events", response_class=EventSourceResponse)
async def stream_events(
    parts: Parts,
    since: Annotated[
        int | None,
        Query(ge=0, le=_LONGEST_NUMBER, description="The last number seen; silent: only news."),
    ] = None,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=_LONGEST_NUMBER, description="Wins over since; a reconnecting browser's."),
    ] = None,
) -> AsyncIterator[Message]:
    """Server-sent events with numbers above ``since``: id is the number, event the type.

    The stream has no end and a comment every 15 seconds; a client that reconnects with its last
    number misses nothing.
    """
    start = last_event_id if last_event_id is not None else since
    if start is None:
        start = await asyncio.to_thread(parts.store.newest_sequence)
    async for message in parts.stream.subscribe(start):
        event = ServerSentEvent(
            raw_data=message.model_dump_json(), id=str(message.sequence), event=message.type
        )
        # The annotation is what the API's schema says of the data; the event goes out as it is.
        yield cast(Message, event)
