"""The hardware of the agent's host and of others."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ..hosts.local import LOCAL
from ..models import HostReport
from ..services import Services, services

router = APIRouter(prefix="/v1", tags=["hardware"])


@router.get("/hardware")
async def hardware(
    parts: Annotated[Services, Depends(services)],
    host: Annotated[str, Query(description="Which host.")] = LOCAL,
) -> HostReport:
    """Processor, memory, disk and accelerators now, and which runs hold which device."""
    found = parts.hosts.get(host) if host == LOCAL else parts.hosts.known(host)
    return await asyncio.to_thread(found.report, parts.runs.holders(host))
