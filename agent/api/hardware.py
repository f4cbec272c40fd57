"""The hardware of the agent's host."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends

from ..models import HostReport
from ..services import Services, services

router = APIRouter(prefix="/v1", tags=["hardware"])


@router.get("/hardware")
async def hardware(parts: Annotated[Services, Depends(services)]) -> HostReport:
    """Processor, memory, disk and accelerators now, and which runs hold which device."""
    leases = parts.runs.holders()
    return await asyncio.to_thread(parts.hardware.report, leases, parts.settings.cpu_slots)
