"""Every chat of the agent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from ..api.errors import ApiError
from ..leasing import CPU, Leases
from ..models import Chat, OpenChatRequest, Run, RunDetail
from ..paths import Home
from ..settings import Settings
from .place import LocalPlace, Place
from .plan import BASE, Plan, plan_base, plan_model, plan_runs
from .session import Session

_KEPT_LOGS = 20


class ChatSessions:
    """Opens chats, shares their workers and gives their memory back.

    Chats with the same base model and load settings are one chat with more voices. A chat that
    nobody uses for ``settings.chat_idle_seconds`` is put to sleep: its process is ended and it
    is listed no more, but a client that still has its id may go on, and it loads again.

    Args:
        home: worker logs lie in its folder ``chats``.
        settings: the idle time and whether the agent is offline.
        find_run: the run of an id, unique prefix or unique name; raises ApiError.
        leases: gives devices to workers.
        list_runs: every run, for the list of models; none are listed without it.
        place: where workers of a host run; everywhere is here without it.

    Make one inside a running event loop, and call :meth:`shutdown` at the agent's end.
    """

    def __init__(
        self,
        home: Home,
        settings: Settings,
        find_run: Callable[[str], Awaitable[RunDetail]],
        leases: Leases,
        *,
        list_runs: Callable[[], Sequence[Run]] = tuple,
        place: Callable[[str], Place] = lambda host: LocalPlace(),
    ) -> None:
        self.find_run = find_run
        self.list_runs = list_runs
        self._folder = home.path / "chats"
        self._settings = settings
        self._leases = leases
        self._place = place
        self._sessions: dict[str, Session] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}

    async def open(self, request: OpenChatRequest) -> tuple[Session, bool]:
        """A chat that loads what was asked for, and whether it is a new one.

        Raises:
            ApiError: there is no such run, or nothing or something impossible was asked for.
        """
        return self._session(await self._plan(request))

    async def open_voice(self, run_id: str, *, base: bool = False) -> tuple[Session, str]:
        """A chat and the name of the voice in it that is the run's result, or its base model.

        Raises like open.
        """
        run = await self.find_run(run_id)
        offline = self._settings.offline
        plan = await asyncio.to_thread(plan_runs, [run], offline=offline)
        if base and BASE not in plan.voices:
            plan = plan_base(run, offline=offline)
        return self._session(plan)[0], BASE if base else run.id

    def get(self, chat_id: str) -> Session:
        """The chat of that id, asleep or awake. Raises ApiError."""
        session = self._sessions.get(chat_id)
        if session is None:
            raise ApiError(404, f"There is no chat {chat_id!r}; open one first.")
        return session

    def chats(self) -> list[Chat]:
        """The chats that take memory, and those that failed; oldest first."""
        return [session.describe() for session in self._sessions.values() if not session.asleep]

    async def close(self, chat_id: str) -> None:
        """End a chat for good. Raises ApiError when there is none of that id."""
        session = self.get(chat_id)
        del self._sessions[chat_id]
        self._watchers.pop(chat_id).cancel()
        await session.close()

    async def shutdown(self) -> None:
        """End every chat and its process."""
        await asyncio.gather(*(self.close(chat_id) for chat_id in list(self._sessions)))

    async def _plan(self, request: OpenChatRequest) -> Plan:
        offline = request.offline or self._settings.offline
        if request.runs and request.model:
            raise ApiError(422, "Name runs or a model, not both.")
        if request.model:
            plan = plan_model(request.model, offline=offline)
        elif request.runs:
            runs = {run.id: run for run in [await self.find_run(name) for name in request.runs]}
            plan = await asyncio.to_thread(plan_runs, [*runs.values()], offline=offline)
        else:
            raise ApiError(422, "Name the runs or the model to chat with.")
        return replace(plan, devices=CPU) if request.cpu else plan

    def _session(self, plan: Plan) -> tuple[Session, bool]:
        for session in self._sessions.values():
            if session.plan.fits(plan) and (plan.devices != CPU or session.devices in ((), CPU)):
                session.want(plan)
                return session, False
        return self._new(plan), True

    def _new(self, plan: Plan) -> Session:
        chat_id = secrets.token_hex(4)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_old_logs()
        log = self._folder / f"{chat_id}.log"
        session = Session(chat_id, plan, log, self._place(plan.host), self._leases)
        self._sessions[chat_id] = session
        self._watchers[chat_id] = asyncio.create_task(self._watch(session))
        session.want(plan)
        return session

    async def _watch(self, session: Session) -> None:
        """Put a chat to sleep whenever nobody has used it for long enough."""
        limit = self._settings.chat_idle_seconds
        while True:
            left = limit - session.idle_seconds
            if left > 0:
                await asyncio.sleep(left)
            elif session.asleep:
                await asyncio.sleep(limit)
            else:
                await session.sleep()

    def _remove_old_logs(self) -> None:
        logs = sorted(self._folder.glob("*.log"), key=lambda log: log.stat().st_mtime)
        for log in logs[:-_KEPT_LOGS]:
            if log.stem not in self._sessions:
                log.unlink(missing_ok=True)
