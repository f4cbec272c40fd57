"""Predictions over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse

from ..models import PredictChunk, PredictRequest, RunDetail
from .agent import Parts
from .errors import replies
from .runs import RunId

router = APIRouter(prefix="/v1/runs/{run_id}", tags=["results"])


async def _found(run_id: RunId, parts: Parts) -> RunDetail:
    return await parts.runs.detail(run_id)


async def _chunks(
    run: Annotated[RunDetail, Depends(_found)], request: PredictRequest, parts: Parts
) -> AsyncIterator[AsyncIterator[PredictChunk]]:
    """The chunks, their first one waited for, so that what cannot be done is refused."""
    async with aclosing(parts.predictors.predict(run, request)) as chunks:
        first = await anext(chunks)

        async def every() -> AsyncIterator[PredictChunk]:
            yield first
            async for chunk in chunks:
                yield chunk

        yield every()


@router.post(
    "/predict",
    operation_id="predict",
    response_class=EventSourceResponse,
    responses=replies(404, 409, 422, 503),
)
async def predict(
    chunks: Annotated[AsyncIterator[PredictChunk], Depends(_chunks)],
) -> AsyncIterator[PredictChunk]:
    """Predict with a run's result, as server-sent events.

    Every event's data is a PredictChunk; the last one has ``finish``, which is ``error`` where
    something went wrong. A client that goes away cancels the prediction.
    """
    async for chunk in chunks:
        yield chunk
