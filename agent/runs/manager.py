"""RunManager: what can be asked of the runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from luthier.trainers.errors import LuthierError, Problem, SpecError
from luthier.trainers.spec import RunSpec

from ..api.errors import ApiError
from ..hosts.errors import HostError
from ..hosts.hosts import Hosts
from ..leasing import Leases, Tenant
from ..models import Run, RunDetail, SubmitRequest
from ..paths import Home
from ..problems import Problems
from ..settings import Settings
from ..states import RunState
from ..store import DamagedDatabase, Store
from ..stream import Stream
from . import folders
from .attempts import Attempts
from .book import RunBook
from .parts import Parts
from .queue import candidates
from .record import RunRecord
from .recovery import find_runs, read_spec
from .reindexing import reindex
from .sampling import keep_sampling
from .scheduler import Scheduler
from .submission import changed, new_run_id, resolve

_log = logging.getLogger(__name__)


class RunManager:
    """The runs of one home. Use it on the event loop; what blocks is done in threads.

    Methods that take a run accept its id, a unique beginning of it, or its unique name, and
    raise ApiError when that names none or several.

    Attributes:
        leases: the places of workers that answer beside the runs.
    """

    def __init__(
        self,
        home: Home,
        settings: Settings,
        store: Store,
        stream: Stream,
        hosts: Hosts,
        problems: Problems,
    ) -> None:
        self._book = RunBook(home, store, stream, problems)
        self.leases = Leases(lambda host: hosts.get(host).devices(), self._tenants)
        self.leases.on_free = self._look_again
        self._parts = Parts(home, settings, store, self._book, problems, hosts, self.leases)
        self._attempts = Attempts(self._parts, self._look_again)
        self._scheduler = Scheduler(self._parts, self._attempts.begin)
        self._tasks: list[asyncio.Task[None]] = []

    def database_is_damaged(self, error: DamagedDatabase) -> None:
        """Somebody has found the database damaged; the agent starts anew with another one."""
        self._book.on_damage(error)

    async def start(
        self, *, rebuilt: str = "", on_damage: Callable[[DamagedDatabase], None]
    ) -> None:
        """Read the run folders, adopt what lives, and serve the queue.

        Args:
            rebuilt: why the database starts empty; silent when it does not.
            on_damage: called when the database turns out to be damaged.

        Raises:
            OSError: the run folders cannot be read.
        """
        found = await asyncio.to_thread(find_runs, self._parts.home)
        self._book.records.update(found.records)
        self._book.unreadable.update(found.unreadable)
        self._book.on_damage = on_damage
        for run_id, problem in found.unreadable.items():
            self._parts.problems.set(f"run {run_id}", problem)
        for record in self._book.active():
            self._attempts.adopt(record.id)
        self._work(self._book.keep_writing())
        self._work(self._scheduler.work())
        self._work(keep_sampling(self._parts))
        self._work(reindex(self._parts, rebuilt=rebuilt))
        self._look_again()

    async def close(self) -> None:
        """Let go of everything; runs go on by themselves."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._attempts.close()
        await self._book.write_all()

    # Looking

    def runs(self, states: Collection[RunState] = (), limit: int | None = None) -> list[Run]:
        """Runs, newest first; of those states only, when there are any."""
        found = [run for run in self._book.views() if not states or run.state in states]
        return found[:limit]

    def counts(self) -> dict[str, int]:
        """How many runs are in each state."""
        counts = {state.value: 0 for state in RunState}
        for record in self._book.records.values():
            counts[record.state.value] += 1
        return counts

    def find(self, run: str) -> Run:
        """One run."""
        return self._book.view(self._book.find(run).id)

    async def detail(self, run: str) -> RunDetail:
        """One run with its spec."""
        record = self._book.find(run)
        return await asyncio.to_thread(self._detail, record, self._book.view(record.id))

    def _detail(self, record: RunRecord, view: Run) -> RunDetail:
        spec = read_spec(self._parts.folder(record.id)) or {}
        return RunDetail(**view.model_dump(), spec=spec, placement=record.placement)

    def holders(self, host: str) -> dict[str, list[str]]:
        """The runs that hold each device of a host now."""
        found: dict[str, list[str]] = {}
        for record in self._book.active():
            for device in record.devices if record.host == host else ():
                found.setdefault(device, []).append(record.id)
        return found

    def users(self, host: str) -> dict[str, list[str]]:
        """Who gives the memory of each accelerator back before another run has it.

        These are the runs that hold it and the guests on it.
        """
        found = self.holders(host)
        for device, guests in self.leases.guests(host).items():
            if device != "cpu":
                found[device] = [*found.get(device, ()), *guests]
        return found

    def _tenants(self, host: str) -> list[Tenant]:
        return [
            Tenant(record.name or record.id, tuple(record.devices), record.settled)
            for record in self._book.active()
            if record.host == host
        ]

    # Asking

    async def validate(self, request: SubmitRequest) -> RunSpec:
        """The resolved spec of a run that this host can run.

        Raises:
            SpecError: it cannot work; carries every problem.
            LuthierError: an override is malformed.
        """
        spec = await asyncio.to_thread(resolve, request, self._parts.hosts.names())
        await self._check_devices(spec, request.source)
        return spec

    async def submit(self, request: SubmitRequest) -> Run:
        """Queue a run. Raises like validate, and OSError when its folder cannot be written."""
        spec = await self.validate(request)
        run_id = await asyncio.to_thread(self._free_id)
        record = RunRecord(
            id=run_id,
            state=RunState.QUEUED,
            created_at=time.time(),
            queue_key=self._last_key(spec.launch.host),
            **_from_spec(spec),
        )
        await asyncio.to_thread(folders.create, self._parts.home, record, spec)
        await self._book.add(record, spec.model_dump(mode="json"))
        self._look_again()
        return self._book.view(run_id)

    async def stop(self, run: str, *, now: bool) -> Run:
        """End a run: a waiting one at once, a living one by its ladder. Asking twice is fine.

        Raises:
            ApiError: 409 when it is finished already.
            LuthierError: the request cannot be written.
        """
        run_id = self._book.find(run).id
        async with self._parts.lock(run_id):
            state = self._book.find(run_id).state
            if state is RunState.QUEUED:
                await self._book.change(
                    run_id,
                    RunState.STOPPED,
                    reason="Stopped while it waited in the queue.",
                    ended_at=time.time(),
                )
            elif state.active:
                await self._attempts.stop(run_id, now)
            else:
                raise ApiError(409, f"Run {run_id} is finished already: it {_ended(state)}.")
        self._look_again()
        return self._book.view(run_id)

    async def resume(self, run: str, overrides: Sequence[str]) -> Run:
        """Queue a finished run for another attempt, from its last checkpoint.

        Raises:
            ApiError: 409 when it is not finished, or has succeeded and nothing is changed.
            SpecError, LuthierError: the changed spec cannot work.
            OSError: the change cannot be written.
        """
        run_id = self._book.find(run).id
        async with self._parts.lock(run_id):
            record = self._finished(run_id, "resume")
            if record.state is RunState.SUCCEEDED and not overrides:
                raise ApiError(
                    409,
                    f"Run {run_id} has succeeded; there is nothing left to do.",
                    hint="Give it more to do with --set, such as --set training.max_steps=200.",
                )
            folder = self._parts.folder(run_id)
            changes: dict[str, Any] = {}
            if overrides:
                spec = await asyncio.to_thread(folders.read_spec_text, folder)
                new = await asyncio.to_thread(
                    changed, spec, overrides, record.task, self._parts.hosts.names()
                )
                if new.launch.host != record.host:
                    raise ApiError(
                        409,
                        f"Run {run_id} is on host {record.host} with its checkpoints and cannot "
                        f"go on on {new.launch.host}.",
                        hint="Submit a new run instead.",
                    )
                await self._check_devices(new, "spec.yaml")
                await asyncio.to_thread(folders.replace_spec, folder, new)
                changes = _from_spec(new)
            await self._book.change_surely(
                run_id,
                RunState.QUEUED,
                queue_key=self._last_key(record.host),
                ended_at=None,
                reason="",
                hint="",
                phase="",
                **changes,
            )
        self._look_again()
        return self._book.view(run_id)

    async def move(self, run: str, position: int) -> Run:
        """Put a waiting run at that place of its queue, 0 first.

        Raises:
            ApiError: 409 when it does not wait.
            OSError: the change cannot be written.
        """
        record = self._book.find(run)
        async with self._parts.lock(record.id):
            record = self._book.find(record.id)
            if record.state is not RunState.QUEUED:
                raise ApiError(
                    409, f"Run {record.id} does not wait in a queue; it is {record.state.value}."
                )
            order = [other for other in self._book.queue(record.host) if other.id != record.id]
            order.insert(position, record)
            keys = sorted(other.queue_key for other in order)
            for key, other in zip(keys, order, strict=True):
                if other.queue_key != key:
                    await self._book.change_surely(other.id, queue_key=key)
        self._look_again()
        return self._book.view(record.id)

    async def remove(self, run: str) -> None:
        """Delete a finished run with its folder.

        Raises:
            ApiError: 409 when it is not finished, or its record is unreadable.
            OSError: the folder cannot be deleted.
        """
        run_id = self._book.find(run).id
        async with self._parts.lock(run_id):
            self._finished(run_id, "remove")
            folder = self._parts.folder(run_id)
            await asyncio.to_thread(self._parts.host(run_id).remove, folder)
            await asyncio.to_thread(folders.hide, self._parts.home, run_id)
            await self._book.forget(run_id)
        await asyncio.to_thread(folders.delete_hidden, self._parts.home, run_id)

    async def give_up(self, host: str) -> None:
        """Take the active runs of a host, which is being forgotten, as lost."""
        for record in self._book.active():
            if record.host == host:
                await self._book.change(
                    record.id,
                    RunState.LOST,
                    reason=f"Host {host} was removed while the run was on it.",
                    ended_at=time.time(),
                    unreachable_since=None,
                )

    def note_phase(self, run_id: str, doing: str) -> None:
        """Say what is being done for an active run."""
        self._parts.note_phase(run_id, doing)

    # Inside

    async def _check_devices(self, spec: RunSpec, source: str) -> None:
        """Raise SpecError when this host can never run the spec."""
        try:
            devices = await asyncio.to_thread(self._parts.hosts.get(spec.launch.host).devices)
        except HostError as error:
            # Nobody knows what it has; the run waits until it can be asked.
            _log.info("%s: %s", spec.launch.host, error)
            return
        try:
            candidates(spec.launch, devices)
        except LuthierError as error:
            raise SpecError([Problem(str(error), source)]) from error

    def _finished(self, run_id: str, verb: str) -> RunRecord:
        record = self._book.find(run_id)
        if run_id in self._book.unreadable:
            raise ApiError(
                409,
                f"{self._parts.folder(run_id).record} cannot be read, so the agent leaves "
                "the run alone.",
                hint="Mend the file and restart the agent, or delete the folder by hand.",
            )
        if not record.state.finished:
            raise ApiError(
                409,
                f"Run {run_id} is {record.state.value}; it must have ended to {verb} it.",
                hint=f"Stop it with: luthier stop {run_id}",
            )
        return record

    def _last_key(self, host: str) -> float:
        """A key that sorts behind every waiting run, also when the clock was set back."""
        waiting = self._book.queue(host)
        return max(time.time(), waiting[-1].queue_key + 0.001) if waiting else time.time()

    def _free_id(self) -> str:
        while True:
            run_id = new_run_id()
            if not self._parts.folder(run_id).path.exists():
                return run_id

    def _look_again(self) -> None:
        self._scheduler.look_again()

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._worked)
        self._tasks.append(task)

    def _worked(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a part of the agent ended", exc_info=error)
            self._parts.problems.set(
                "agent",
                f"A part of the agent has failed ({type(error).__name__}: {error}). Restart it.",
            )


def _from_spec(spec: RunSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "task": spec.task,
        "model": spec.starts_from,
        "host": spec.launch.host,
        "shares_device": spec.launch.share_device,
    }


def _ended(state: RunState) -> str:
    verb = {RunState.STOPPED: "was stopped", RunState.LOST: "was lost"}
    return verb.get(state, state.value)
