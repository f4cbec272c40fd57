"""Bringing the whole index up to date after a start, while the agent answers already."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..store import DamagedDatabase, StoreUnavailable, UnknownRun
from .parts import Parts
from .recovery import index_run

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_SUBJECT = "index"
_AGAIN_SECONDS = 5.0


async def reindex(parts: Parts, *, rebuilt: str) -> None:
    """Index every run that does not live, and drop what has no folder any more.

    Args:
        parts: what it works with.
        rebuilt: why the index starts empty; silent when it does not.
    """
    book = parts.book
    for stored in await _patiently(parts, parts.store.runs):
        if stored.id not in book.records:
            await _patiently(parts, partial(parts.store.delete_run, stored.id))
    resting = [view.id for view in book.views() if not view.state.active]
    for done, run_id in enumerate(resting):
        if rebuilt:
            progress = f"It is being rebuilt from the run folders: {done} of {len(resting)} done."
            parts.problems.set(_SUBJECT, f"{rebuilt} {progress}")
        # A run that has become active is indexed by who follows it.
        if run_id in book.records and not book.records[run_id].state.active:
            index = partial(index_run, parts.store, parts.folder(run_id), book.view(run_id))
            with contextlib.suppress(UnknownRun):
                await _patiently(parts, index)
    if rebuilt and book.records:
        parts.problems.set(_SUBJECT, f"{rebuilt} It was rebuilt from the run folders.")
    else:
        parts.problems.clear(_SUBJECT)


async def _patiently(parts: Parts, work: Callable[[], _Result]) -> _Result:
    """The result of the work, done in a thread as soon as disk and database let it."""
    while True:
        try:
            return await asyncio.to_thread(work)
        except (OSError, StoreUnavailable) as error:
            _log.warning("the index is not up to date yet: %s", error)
        except DamagedDatabase as error:
            parts.book.on_damage(error)
        await asyncio.sleep(_AGAIN_SECONDS)
