"""Work that is only worth doing while the client is there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from .errors import ApiError

_Result = TypeVar("_Result")


async def while_connected(request: Request, work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of the work, which is cancelled when the client goes away first.

    The request's body must have been read already.
    """
    task = asyncio.create_task(work)
    watcher = asyncio.create_task(_departure(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            # Nobody reads this; it ends the request.
            raise ApiError(408, "The client went away.")
        return task.result()
    finally:
        for each in (task, watcher):
            each.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
