"""Runs: queued, looked at, stopped, resumed, moved, removed."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query

from luthier.trainers.spec.file import dump_spec

from ..models import (
    MoveRequest,
    ResumeRequest,
    Run,
    RunDetail,
    StopRequest,
    SubmitRequest,
    ValidateReply,
)
from ..states import RunState
from .agent import Parts
from .errors import replies

router = APIRouter(prefix="/v1", tags=["runs"])
RunId = Annotated[
    str, Path(description="A run's id, a unique beginning of it, or its unique name.")
]


@router.post("/validate")
async def validate(request: SubmitRequest, parts: Parts) -> ValidateReply:
    """Resolve a spec without queueing it."""
    spec = await parts.runs.validate(request)
    text = await asyncio.to_thread(dump_spec, spec)
    return ValidateReply(spec=spec.model_dump(mode="json"), yaml=text)


@router.get("/runs")
async def list_runs(
    parts: Parts,
    state: Annotated[list[RunState] | None, Query(description="Only runs in these.")] = None,
    limit: Annotated[int | None, Query(ge=1, description="The newest so many.")] = None,
) -> list[Run]:
    """Runs, newest first."""
    return parts.runs.runs(state or (), limit)


@router.post("/runs", status_code=201)
async def submit_run(request: SubmitRequest, parts: Parts) -> RunDetail:
    """Queue a run."""
    run = await parts.runs.submit(request)
    return await parts.runs.detail(run.id)


@router.get("/runs/{run_id}", responses=replies(404, 409))
async def get_run(run_id: RunId, parts: Parts) -> RunDetail:
    """One run with its spec."""
    return await parts.runs.detail(run_id)


@router.delete("/runs/{run_id}", status_code=204, responses=replies(404, 409))
async def remove_run(run_id: RunId, parts: Parts) -> None:
    """Delete a finished run with its folder."""
    await parts.runs.remove(run_id)


@router.post("/runs/{run_id}/stop", responses=replies(404, 409))
async def stop_run(run_id: RunId, request: StopRequest, parts: Parts) -> Run:
    """End a run: with a checkpoint, or now without. Asking twice is fine."""
    return await parts.runs.stop(run_id, now=request.now)


@router.post("/runs/{run_id}/resume", responses=replies(404, 409))
async def resume_run(run_id: RunId, request: ResumeRequest, parts: Parts) -> Run:
    """Queue a finished run for another attempt, from its last checkpoint."""
    return await parts.runs.resume(run_id, request.overrides)


@router.post("/runs/{run_id}/move", responses=replies(404, 409))
async def move_run(run_id: RunId, request: MoveRequest, parts: Parts) -> Run:
    """Put a waiting run at that place of its queue."""
    return await parts.runs.move(run_id, request.position)
