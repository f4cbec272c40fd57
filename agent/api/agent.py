"""The agent itself, and what can be trained."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

import luthier
from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import Task, find_task, tasks

from ..models import AgentStatus, ColumnInfo, TaskDetail, TaskInfo
from ..services import Services, services
from .errors import ApiError, replies

router = APIRouter(prefix="/v1")
Parts = Annotated[Services, Depends(services)]


@router.get("/status", tags=["agent"])
async def status(parts: Parts) -> AgentStatus:
    """How the agent is."""
    return AgentStatus(
        version=luthier.__version__,
        pid=os.getpid(),
        home=str(parts.home.path),
        started_at=parts.started_at,
        runs=parts.runs.counts(),
        sequence=await asyncio.to_thread(parts.store.newest_sequence),
        problems=parts.problems.sentences(),
        tcp_port=parts.tcp_port,
    )


@router.post("/shutdown", status_code=204, tags=["agent"])
async def shutdown(request: Request) -> None:
    """End the agent; runs go on and the next agent adopts them."""
    request.app.state.end()


@router.get("/tasks", tags=["tasks"])
def list_tasks() -> list[TaskInfo]:
    """Everything that can be trained."""
    return [TaskInfo(**_info(task)) for task in tasks().values()]


@router.get("/tasks/{task_id}", tags=["tasks"], responses=replies(404))
def get_task(task_id: Annotated[str, Path(description="Such as llm-sft.")]) -> TaskDetail:
    """One task with the JSON schema of its settings."""
    try:
        task = find_task(task_id)
    except LuthierError as error:
        raise ApiError(404, error.message, hint=error.hint) from error
    return TaskDetail(**_info(task), parameters=task.spec.model_json_schema())


def _info(task: Task) -> dict[str, object]:
    return {
        "id": task.id,
        "family": task.family,
        "title": task.title,
        "sentence": task.sentence,
        "columns": [
            ColumnInfo.model_validate(column, from_attributes=True) for column in task.columns
        ],
        "metrics": list(task.metrics),
        "default_model": task.default_model,
        "chats": task.chats,
        "inputs": list(task.inputs.roles) if task.inputs else [],
        "input_kind": task.inputs.kind if task.inputs and task.predict else None,
        "notes": list(task.notes),
    }
