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
    """Processor, memory, disk and accelerators now, and who holds which device."""
    found = parts.hosts.get(host) if host == LOCAL else parts.hosts.known(host)
    report = await asyncio.to_thread(found.report, parts.runs.holders(host))
    guests = parts.runs.leases.guests(host)
    devices = [
        device.model_copy(update={"guests": guests.get(device.id, [])}) for device in report.devices
    ]
    return report.model_copy(update={"devices": devices})
