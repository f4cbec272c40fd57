"""Bringing the whole index up to date after a start, while the agent answers already."""

from __future__ import annotations

import asyncio
import logging

from ..store import DamagedDatabase, StoreUnavailable, UnknownRun
from .parts import Parts
from .recovery import index_run

_log = logging.getLogger(__name__)
_SUBJECT = "index"
_AGAIN_SECONDS = 5.0


async def reindex(parts: Parts, *, rebuilt: str) -> None:
    """Index every run that does not live, and drop what has no folder any more.

    Args:
        parts: what it works with.
        rebuilt: why the index starts empty; silent when it does not.
    """
    book = parts.book
    for stored in await asyncio.to_thread(parts.store.runs):
        if stored.id not in book.records:
            await asyncio.to_thread(parts.store.delete_run, stored.id)
    resting = [view.id for view in book.views() if not view.state.active]
    for done, run_id in enumerate(resting):
        if rebuilt:
            progress = f"It is being rebuilt from the run folders: {done} of {len(resting)} done."
            parts.problems.set(_SUBJECT, f"{rebuilt} {progress}")
        await _index(parts, run_id)
    if rebuilt and book.records:
        parts.problems.set(_SUBJECT, f"{rebuilt} It was rebuilt from the run folders.")
    else:
        parts.problems.clear(_SUBJECT)


async def _index(parts: Parts, run_id: str) -> None:
    while run_id in parts.book.records and not parts.book.records[run_id].state.active:
        try:
            view = parts.book.view(run_id)
            await asyncio.to_thread(index_run, parts.store, parts.folder(run_id), view)
            return
        except UnknownRun:
            return
        except (OSError, StoreUnavailable) as error:
            _log.warning("%s: not indexed yet: %s", run_id, error)
        except DamagedDatabase as error:
            parts.book.on_damage(error)
        await asyncio.sleep(_AGAIN_SECONDS)
