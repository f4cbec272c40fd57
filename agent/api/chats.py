"""The chats over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse

from ..chat.session import Session
from ..models import (
    BatchReply,
    BatchRequest,
    Chat,
    GenerateChunk,
    GenerateRequest,
    OpenChatRequest,
)
from ..services import Services, services
from .disconnect import while_connected
from .errors import ApiError, replies

router = APIRouter(prefix="/v1/chats", tags=["chats"])

Parts = Annotated[Services, Depends(services)]


def _session(chat_id: str, parts: Parts) -> Session:
    return parts.chats.get(chat_id)


Found = Annotated[Session, Depends(_session)]


async def _answer(
    session: Found, request: GenerateRequest
) -> AsyncIterator[AsyncIterator[GenerateChunk]]:
    """The answer of a chat and voice that exist, ended with the request whatever becomes of it.

    A stream that is given up while it sends leaves its generator suspended, which would keep the
    chat's turn until the garbage collector comes.
    """
    session.voice(request.voice)
    async with aclosing(session.answer(request)) as chunks:
        yield chunks


@router.post(
    "",
    operation_id="open_chat",
    status_code=201,
    responses={
        200: {"model": Chat, "description": "A chat that was there and now has more voices."},
        **replies(404, 409, 422),
    },
)
async def open_chat(
    request: OpenChatRequest,
    parts: Parts,
    response: Response,
    wait: Annotated[bool, Query(description="Answer once it is loaded, or failed.")] = False,
) -> Chat:
    """Load a base model with the adapters of runs; it answers once its state is ``ready``."""
    session, new = await parts.chats.open(request)
    if not new:
        response.status_code = 200
    if wait:
        await session.settle()
    return session.describe()


@router.get("", operation_id="list_chats")
async def list_chats(parts: Parts) -> list[Chat]:
    """The chats that take memory, and those that failed."""
    return parts.chats.chats()


@router.get("/{chat_id}", operation_id="get_chat", responses=replies(404))
async def get_chat(session: Found) -> Chat:
    """One chat."""
    if session.asleep:
        raise ApiError(
            404, f"Chat {session.id} was idle and gave its memory back; a question loads it again."
        )
    return session.describe()


@router.delete("/{chat_id}", operation_id="close_chat", status_code=204, responses=replies(404))
async def close_chat(chat_id: str, parts: Parts) -> None:
    """End a chat and give its memory back."""
    await parts.chats.close(chat_id)


@router.post(
    "/{chat_id}/generate",
    operation_id="generate",
    response_class=EventSourceResponse,
    responses=replies(404, 422),
)
async def generate(
    answer: Annotated[AsyncIterator[GenerateChunk], Depends(_answer)],
) -> AsyncIterator[GenerateChunk]:
    """Let a voice go on with a conversation, as server-sent events.

    Every event's data is a GenerateChunk; the last one has ``finish``, which is ``error`` where
    something went wrong. One question at a time is answered; others wait in their order. A client
    that goes away cancels its answer.
    """
    try:
        async for chunk in answer:
            yield chunk
    except ApiError as error:
        yield GenerateChunk(finish="error", error=str(error))


@router.post(
    "/{chat_id}/cancel", operation_id="cancel_generation", status_code=204, responses=replies(404)
)
async def cancel(session: Found) -> None:
    """End the answer that is being written; its stream ends with ``cancelled``."""
    session.cancel()


@router.post(
    "/{chat_id}/batch", operation_id="generate_batch", responses=replies(404, 409, 422, 503)
)
async def batch(session: Found, request: BatchRequest, http: Request) -> BatchReply:
    """Let a voice go on with many conversations at once. A client that goes away cancels it."""
    return await while_connected(http, session.answer_all(request))
