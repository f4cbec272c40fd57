"""The OpenAI-compatible API: whatever talks to OpenAI can talk to the result of a run.

Models are finished runs by their name (by id where a name stands for several), each with its base
model as ``<name>:base``. What a model needs is loaded when it is first asked.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from luthier.trainers.errors import LuthierError

from ..chat.plan import BASE
from ..chat.session import Session
from ..models import GenerateChunk, GenerateRequest
from ..services import Services, services
from ..sse import encode_event
from .disconnect import while_connected
from .errors import ApiError
from .openai_models import (
    AnswerChoice,
    AnswerMessage,
    Completion,
    CompletionChunk,
    CompletionRequest,
    Delta,
    DeltaChoice,
    ModelCard,
    ModelList,
    OpenAiError,
    OpenAiErrorReply,
    Usage,
    finish_reason,
)

_BASE_SUFFIX = f":{BASE}"


def refusal(status: int, message: str, *, code: str | None = None) -> JSONResponse:
    """An error as OpenAI clients expect it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    reply = OpenAiErrorReply(error=OpenAiError(message=message, type=kind, code=code))
    return JSONResponse(reply.model_dump(), status_code=status)


class _OpenAiRoute(APIRoute):
    """A route whose every error has OpenAI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def with_errors(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"][1:]))
                return refusal(400, f"{where}: {first['msg']}." if where else f"{first['msg']}.")
            except ApiError as error:
                # OpenAI has no 422; a request that cannot be carried out is 400 there.
                status = 400 if error.status == 422 else error.status
                code = "model_not_found" if status == 404 else None
                return refusal(status, str(error), code=code)
            except LuthierError as error:
                return refusal(503, str(error))

        return with_errors


router = APIRouter(
    prefix="/openai/v1",
    tags=["openai"],
    route_class=_OpenAiRoute,
    responses={"4XX": {"model": OpenAiErrorReply}, "5XX": {"model": OpenAiErrorReply}},
)

Parts = Annotated[Services, Depends(services)]


@router.get("/models", operation_id="openai_models")
async def list_models(parts: Parts) -> ModelList:
    """Every finished run with a result, and its base model."""
    runs = [run for run in parts.chats.list_runs() if run.state.finished and run.artifact]
    names = Counter(run.name for run in runs)
    cards = []
    for run in runs:
        model = run.name if run.name and names[run.name] == 1 else run.id
        for name in (model, model + _BASE_SUFFIX):
            cards.append(ModelCard(id=name, created=int(run.created_at)))
    return ModelList(data=cards)


@router.post(
    "/chat/completions",
    operation_id="openai_chat_completions",
    response_model=Completion,
    responses={
        200: {
            "description": "The completion; with ``stream`` its chunks as server-sent events.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def complete(body: CompletionRequest, parts: Parts, request: Request) -> Any:
    """Let a model go on with a conversation."""
    if reason := body.impossible():
        raise ApiError(400, reason)
    session, voice = await _open(parts, body.model)
    question = GenerateRequest(
        messages=[message.plain() for message in body.messages],
        voice=voice,
        sampling=body.sampling(),
    )
    chunks = session.answer(question)
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time())}
    if not body.stream:
        return await while_connected(request, _whole(chunks, {**head, "model": body.model}))
    # Waiting for the first piece lets what cannot be answered be refused with its own status.
    first = await while_connected(request, anext(chunks))
    usage = bool(body.stream_options and body.stream_options.include_usage)
    pieces = _pieces(first, chunks, {**head, "model": body.model}, usage)
    return _ClosingStream(pieces, answer=chunks)


async def _open(parts: Services, model: str) -> tuple[Session, str]:
    name = model.removesuffix(_BASE_SUFFIX)
    return await parts.chats.open_voice(name, base=name != model)


async def _whole(chunks: AsyncGenerator[GenerateChunk, None], head: dict[str, Any]) -> Completion:
    texts = []
    last = GenerateChunk()
    async with aclosing(chunks):
        async for chunk in chunks:
            texts.append(chunk.text)
            last = chunk
    choice = AnswerChoice(
        message=AnswerMessage(content="".join(texts)), finish_reason=finish_reason(last) or "stop"
    )
    return Completion(**head, choices=[choice], usage=Usage.of(last))


async def _pieces(
    first: GenerateChunk,
    rest: AsyncGenerator[GenerateChunk, None],
    head: dict[str, Any],
    with_usage: bool,
) -> AsyncGenerator[str, None]:
    def event(delta: Delta, end: str | None = None) -> str:
        choice = DeltaChoice(delta=delta, finish_reason=end)
        return encode_event(CompletionChunk(**head, choices=[choice]).model_dump_json())

    yield event(Delta(role="assistant", content=""))
    last = first
    if first.text:
        yield event(Delta(content=first.text))
    try:
        async for last in rest:
            if last.text:
                yield event(Delta(content=last.text))
    except ApiError as error:
        failure = OpenAiError(message=str(error), type="server_error")
        yield encode_event(OpenAiErrorReply(error=failure).model_dump_json())
        return
    yield event(Delta(), finish_reason(last))
    if with_usage:
        usage = CompletionChunk(**head, choices=[], usage=Usage.of(last))
        yield encode_event(usage.model_dump_json())
    yield encode_event("[DONE]")


class _ClosingStream(StreamingResponse):
    """A stream that ends its answer with the request, also when nothing was ever sent.

    An answer left suspended would keep its chat's turn until the garbage collector comes.
    """

    def __init__(
        self, pieces: AsyncGenerator[str, None], *, answer: AsyncGenerator[GenerateChunk, None]
    ) -> None:
        super().__init__(pieces, media_type="text/event-stream")
        self._sources = (pieces, answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            for source in self._sources:
                await source.aclose()
