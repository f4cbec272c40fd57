"""Hardware samples, taken while runs are active and kept with each of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from ..models import HardwareSample, Message
from ..store import DamagedDatabase, StoreUnavailable, UnknownRun
from .parts import Parts
from .record import RunRecord


async def keep_sampling(parts: Parts) -> None:
    """Sample each host that has active runs, at the interval of the settings, until cancelled."""
    while True:
        await asyncio.sleep(parts.settings.hardware_interval)
        active = [record for record in parts.book.active() if record.attempts]
        if not active:
            parts.problems.clear("hardware")
            continue
        try:
            messages = await asyncio.to_thread(_keep_all, parts, active)
        except (OSError, StoreUnavailable) as error:
            parts.problems.set("hardware", f"Hardware samples are not kept: {error}")
        except DamagedDatabase as error:
            parts.book.on_damage(error)
        else:
            parts.problems.clear("hardware")
            parts.book.publish(*messages)


def _keep_all(parts: Parts, active: Sequence[RunRecord]) -> list[Message]:
    messages = []
    for name in sorted({record.host for record in active}):
        taken = parts.hosts.get(name).sample()
        if taken is not None:
            here = [record for record in active if record.host == name]
            messages.append(_keep(parts, here, taken))
    return messages


def _keep(parts: Parts, active: Sequence[RunRecord], taken: HardwareSample) -> Message:
    for record in active:
        attempt = parts.folder(record.id).attempt(record.attempts[-1].number)
        try:
            _append_line(attempt.hardware, taken.model_dump_json().encode())
            parts.store.add_hardware(record.id, taken)
        except (FileNotFoundError, UnknownRun):
            # The attempt has no folder yet, or the run was removed meanwhile.
            continue
    return parts.store.append("hardware", None, taken.model_dump(mode="json"))


def _append_line(path: Path, line: bytes) -> None:
    """Append a line; one that a killed agent left torn is ended first."""
    with path.open("ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line + b"\n")
