"""The processes that predict, one for each run that is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from luthier.trainers.predicting.protocol import (
    Answer,
    Failed,
    Finished,
    Load,
    Predict,
    Ready,
    Started,
    parse_reply,
)
from luthier.trainers.registry import find_task
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.serving.messages import Cancel
from luthier.trainers.spec import ModelSection

from ..api.errors import ApiError
from ..chat.environment import worker_environment
from ..chat.process import WorkerLostError, WorkerProcess
from ..hosts.local import LOCAL
from ..leasing import CPU, Lease, Leases, Wish
from ..leasing.need import memory_need
from ..models import PredictChunk, PredictRequest, RunDetail
from ..paths import Home
from ..settings import Settings

_MOST_WORKERS = 2


class PredictProcess(WorkerProcess):
    """A predict worker."""

    module: ClassVar[str] = "luthier.trainers.predicting.worker"
    name: ClassVar[str] = "predict worker"
    last: ClassVar[tuple[type[Any], ...]] = (Ready, Finished, Failed)
    parse: ClassVar[Callable[[bytes], Any]] = staticmethod(parse_reply)
    cancel: ClassVar[type[Any]] = Cancel


class _Loaded:
    """A worker with a run's result, while it is used and for a while after."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.users = 1
        self.used_at = time.monotonic()
        self.leaving = False
        self.process: PredictProcess
        self.lease: Lease

    async def leave(self) -> bool:
        """See Guest."""
        if self.users:
            self.leaving = True
            return False
        await self.process.end("The prediction made room for a run.")
        return True

    async def done(self) -> None:
        """One who used it does so no more."""
        self.users -= 1
        self.used_at = time.monotonic()
        if self.leaving and not self.users:
            await self.leave()


class Predictors:
    """Predicts with the results of runs.

    A worker stays loaded for ``settings.chat_idle_seconds`` after it was last asked; the one that
    was idle longest makes room when a third is wanted.
    """

    def __init__(self, home: Home, settings: Settings, leases: Leases) -> None:
        self._leases = leases
        self._folder = home.path / "predictions"
        self._settings = settings
        self._loaded: dict[str, _Loaded] = {}
        self._watches: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    async def predict(
        self, run: RunDetail, request: PredictRequest
    ) -> AsyncGenerator[PredictChunk, None]:
        """The chunks of a prediction; a caller that closes this early cancels it.

        Raises:
            ApiError: the run's result cannot predict.
        """
        loaded = await self._load(run, cpu=request.cpu)
        try:
            asked = loaded.process.replies(Predict, source=request.input, rows=request.rows or [])
            async with aclosing(asked) as replies:
                async for reply in replies:
                    yield _chunk(reply)
        except WorkerLostError as error:
            yield PredictChunk(finish="error", error=str(error))
        finally:
            await loaded.done()

    async def shutdown(self) -> None:
        """End every worker."""
        for watch in self._watches:
            watch.cancel()
        for run_id in list(self._loaded):
            await self._end(run_id, "The agent ended.")

    async def _load(self, run: RunDetail, *, cpu: bool) -> _Loaded:
        """A worker that is ready, counted as used. Raises ApiError."""
        version = await asyncio.to_thread(_version, run)
        async with self._turn:
            found = self._loaded.get(run.id)
            if found is not None and (
                found.process.gone
                or found.version != version
                or (cpu and found.lease.devices != CPU and not found.users)
            ):
                await self._end(run.id, "The run has a newer result, or goes to the CPU.")
                found = None
            if found is not None:
                found.users += 1
                return found
            await self._make_room()
            return await self._start(run, version, cpu=cpu)

    async def _start(self, run: RunDetail, version: int, *, cpu: bool) -> _Loaded:
        self._folder.mkdir(parents=True, exist_ok=True)
        loaded = _Loaded(version)
        offline = self._settings.offline or bool(run.spec.get("launch", {}).get("offline"))
        loaded.lease = await self._leases.take(loaded, await asyncio.to_thread(_wish, run, cpu))
        try:
            environment = worker_environment(loaded.lease.devices, offline=offline)
            process = await PredictProcess.start(environment, self._folder / f"{run.id}.log")
        except BaseException:
            loaded.lease.give_back()
            raise
        loaded.process = process
        process.when_gone(loaded.lease.give_back)
        try:
            reply = await process.ask(Load, run=run.folder)
        except WorkerLostError as error:
            raise ApiError(503, str(error)) from error
        except asyncio.CancelledError:
            await process.end("Nobody waits for it any more.")
            raise
        if isinstance(reply, Failed):
            await process.end(reply.message)
            raise ApiError(409, reply.message)
        self._loaded[run.id] = loaded
        watch = asyncio.create_task(self._watch(run.id, loaded))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return loaded

    async def _make_room(self) -> None:
        idle = [(entry.used_at, run) for run, entry in self._loaded.items() if not entry.users]
        if len(self._loaded) >= _MOST_WORKERS and idle:
            await self._end(min(idle)[1], "Another run's result was wanted.")

    async def _watch(self, run_id: str, loaded: _Loaded) -> None:
        """End a worker that nobody has used for long enough."""
        while self._loaded.get(run_id) is loaded:
            left = self._settings.chat_idle_seconds - (time.monotonic() - loaded.used_at)
            if loaded.users:
                left = self._settings.chat_idle_seconds
            if left > 0:
                await asyncio.sleep(left)
            else:
                await self._end(run_id, "It was idle.")

    async def _end(self, run_id: str, reason: str) -> None:
        await self._loaded.pop(run_id).process.end(reason)


def _wish(run: RunDetail, cpu: bool) -> Wish:
    """A device like the one that the run had; runs of other hosts predict here all the same."""
    devices = CPU if cpu else tuple(run.attempts[-1].devices) if run.attempts else ()
    try:
        need = memory_need(ModelSection.model_validate(run.spec.get("model", {})))
    except ValidationError:
        need = None
    return Wish(f"predictions of {run.name or run.id}", LOCAL, devices, need=need)


def _version(run: RunDetail) -> int:
    """Changes when the run goes on. Raises ApiError when it has nothing to predict with."""
    task = find_task(run.task)
    if not task.predict:
        mend = f"; talk to it with: luthier chat {run.id}" if task.chats else ""
        raise ApiError(422, f"Run {run.id} is of task {run.task}, which does not predict{mend}.")
    if not run.state.finished:
        raise ApiError(
            409, f"Run {run.id} is {run.state.value}; predict with it once it has ended."
        )
    folder = RunFolder(Path(run.folder))
    found = [path for path in (folder.adapter, folder.model) if path.exists()]
    if not found:
        raise ApiError(409, f"Run {run.id} has no result to predict with ({run.state.value}).")
    return found[0].stat().st_mtime_ns


def _chunk(reply: Any) -> PredictChunk:
    if isinstance(reply, Started):
        return PredictChunk(total=reply.total)
    if isinstance(reply, Answer):
        return PredictChunk(
            index=reply.index, where=reply.where, input=reply.input, prediction=reply.prediction
        )
    if isinstance(reply, Failed):
        return PredictChunk(finish="error", error=reply.message, mistake=reply.mistake)
    finish: Any = "cancelled" if reply.cancelled else "done"
    return PredictChunk(finish=finish, seconds=reply.seconds)
