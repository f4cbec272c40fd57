"""One chat: a worker, its voices, and the order in which clients are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from luthier.trainers.chat.protocol import (
    AddVoice,
    Answer,
    Batch,
    Failed,
    Finished,
    Generate,
    Load,
    Ready,
    Token,
)
from luthier.trainers.chat.sampling import Choice, choose
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import ModelSection

from ..api.errors import ApiError
from ..leasing import Lease, Leases, Wish
from ..leasing.need import memory_need
from ..models import (
    BatchReply,
    BatchRequest,
    Chat,
    ChatMessage,
    GenerateChunk,
    GenerateRequest,
    Sampling,
)
from .place import Place
from .plan import Adapter, Plan
from .process import WorkerLostError, WorkerProcess

_CLOSED = "The chat was closed."


class Session:
    """A chat's worker, which is started when it is needed and again after it was lost.

    One client at a time is answered; the others wait in the order in which they came.
    """

    def __init__(self, chat_id: str, plan: Plan, log: Path, place: Place, leases: Leases) -> None:
        self.id = chat_id
        self._place = place
        self._leases = leases
        self._lease: Lease | None = None
        self._leaving = False
        self.plan = plan
        self.log = log
        self._worker: WorkerProcess | None = None
        self._preparation: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._wanted: set[str] = set()
        self._loaded: list[str] = []
        self._refused: dict[str, str] = {}
        self._device = ""
        self._error = ""
        self._closed = False
        self._users = 0
        self._used_at = time.monotonic()

    # -- what it is ----------------------------------------------------------------------------

    @property
    def asleep(self) -> bool:
        """Whether its memory was given back and nothing is wrong; a request wakes it up."""
        return self._worker is None and not self._preparing and not self._error

    @property
    def idle_seconds(self) -> float:
        """Seconds since anybody used it; 0 while somebody does."""
        return 0.0 if self._users or self._preparing else time.monotonic() - self._used_at

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._worker.pid if self._alive and self._worker else None

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that its worker has."""
        return self._lease.devices if self._lease and self._alive else ()

    @property
    def _alive(self) -> bool:
        return self._worker is not None and not self._worker.gone

    @property
    def _preparing(self) -> bool:
        return self._preparation is not None and not self._preparation.done()

    def describe(self) -> Chat:
        """The chat as the API shows it."""
        lost = self._worker.reason if self._worker else ""
        problems = [self._error or lost, *self._refused.values()]
        return Chat(
            id=self.id,
            model=self.plan.model.name_or_path,
            voices=[voice for voice in self.plan.voices if voice in self._loaded],
            state=self._state(),
            error=" ".join(problem for problem in problems if problem),
            memory=self._worker.memory() if self._worker and self._alive else None,
            device=self._device,
            sample_prompts=[ChatMessage(role="user", content=text) for text in self.plan.questions],
            idle_seconds=self.idle_seconds,
        )

    def _state(self) -> Literal["loading", "ready", "busy", "failed"]:
        if self._preparing:
            return "loading"
        nothing_asked_for = self._refused and not self.plan.adapters
        if not self._alive or nothing_asked_for:
            return "failed"
        return "busy" if self._turn.locked() else "ready"

    # -- loading -------------------------------------------------------------------------------

    def want(self, plan: Plan) -> None:
        """Load what the plan has and this chat has not. Returns at once."""
        self.plan = self.plan.joined(plan)
        for adapter in plan.adapters:
            self._wanted.add(adapter.name)
            self._refused.pop(adapter.name, None)
        self._used_at = time.monotonic()
        self._prepare()

    async def settle(self) -> None:
        """Wait until nothing is being loaded any more, whether it worked or not."""
        if self._preparation is not None:
            await asyncio.shield(self._preparation)

    def _prepare(self) -> None:
        if not self._preparing and not (self._alive and self._next_adapter() is None):
            self._preparation = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            worker = self._worker if self._worker and self._alive else await self._start()
            while adapter := self._next_adapter():
                reply = await worker.ask(
                    AddVoice,
                    name=adapter.name,
                    path=await self._place.path(str(adapter.path)),
                    system_prompt=adapter.system_prompt,
                )
                if isinstance(reply, Failed):
                    self._refuse(adapter, reply.message)
                else:
                    self._loaded.append(adapter.name)
        except (LuthierError, OSError) as error:
            self._error = str(error)
        self._used_at = time.monotonic()
        if self._leaving and not self._users:
            await self._go("The chat made room for a run.")

    async def _start(self) -> WorkerProcess:
        self._loaded, self._refused, self._error = [], {}, ""
        self._worker = worker = await self._started()
        if self._closed:
            await self._end_worker(_CLOSED)
        reply = await worker.ask(
            Load,
            model=await self._model(),
            voice=self.plan.own_voice,
            system_prompt=self.plan.system_prompt,
        )
        if isinstance(reply, Failed):
            await worker.end(reply.message)
            raise WorkerLostError(reply.message)
        if isinstance(reply, Ready):
            self._device = reply.device
            self._loaded.append(self.plan.own_voice)
        return worker

    async def _started(self) -> WorkerProcess:
        """A process on a device of its own, which comes back when the process has ended."""
        self._leaving = False
        self._lease = lease = await self._leases.take(self, await self._wish())
        try:
            pipe = await self._place.start(
                lease.devices,
                offline=self.plan.offline,
                token=self.plan.send_token,
                log=self.log,
            )
        except BaseException:
            lease.give_back()
            raise
        worker = WorkerProcess(pipe)
        worker.when_gone(lease.give_back)
        return worker

    async def _wish(self) -> Wish:
        plan, spread = self.plan, self.plan.model.device_map == "auto"
        return Wish(
            f"chat {self.id} with {plan.title}",
            plan.host,
            plan.devices,
            count=max(1, len(plan.devices)) if spread else 1,
            need=await asyncio.to_thread(memory_need, plan.model),
        )

    async def _model(self) -> ModelSection:
        """The model section, its paths as they are where the worker is."""
        section = self.plan.model
        changes = {"name_or_path": await self._place.path(section.name_or_path)}
        if section.tokenizer:
            changes["tokenizer"] = await self._place.path(section.tokenizer)
        return section.model_copy(update=changes)

    def _refuse(self, adapter: Adapter, reason: str) -> None:
        # It is no voice of this chat then, least of all the one that answers by default.
        others = tuple(one for one in self.plan.adapters if one != adapter)
        self.plan = replace(self.plan, adapters=others)
        self._wanted.discard(adapter.name)
        self._refused[adapter.name] = f"{adapter.name} cannot be loaded: {reason}"

    def _next_adapter(self) -> Adapter | None:
        missing = self._wanted.difference(self._loaded)
        return next((one for one in self.plan.adapters if one.name in missing), None)

    # -- answering -----------------------------------------------------------------------------

    def voice(self, asked: str) -> str:
        """The voice of that name; the newest adapter for an empty one.

        Raises:
            ApiError: this chat has no such voice.
        """
        voices = self.plan.voices
        if not voices:
            raise ApiError(422, " ".join(self._refused.values()))
        if not asked:
            return voices[-1]
        if asked in voices:
            return asked
        if asked in self._refused:
            raise ApiError(422, self._refused[asked])
        raise ApiError(422, f"Chat {self.id} has no voice {asked!r}; it has {', '.join(voices)}.")

    async def answer(self, request: GenerateRequest) -> AsyncGenerator[GenerateChunk, None]:
        """The answer in pieces, the last of which has the figures.

        Closing this early cancels the answer.

        Raises:
            ApiError: the model could not be loaded, was lost, or refuses the conversation.
        """
        voice = self.voice(request.voice)
        async with self._turn_of(voice) as worker:
            replies = worker.replies(
                Generate,
                voice=voice,
                messages=_plain(request.messages),
                choice=resolve(request.sampling),
            )
            async with aclosing(replies):
                async for reply in replies:
                    if isinstance(reply, Failed):
                        raise ApiError(422, reply.message)
                    if isinstance(reply, Token):
                        yield GenerateChunk(text=reply.text)
                    elif isinstance(reply, Finished):
                        yield GenerateChunk(**reply.model_dump(exclude={"id", "kind"}))

    async def answer_all(self, request: BatchRequest) -> BatchReply:
        """The answers to many conversations. Raises ApiError like answer."""
        voice = self.voice(request.voice)
        texts = [""] * len(request.conversations)
        async with self._turn_of(voice) as worker:
            started = time.monotonic()
            replies = worker.replies(
                Batch,
                voice=voice,
                conversations=[_plain(messages) for messages in request.conversations],
                choice=resolve(request.sampling),
            )
            async with aclosing(replies):
                async for reply in replies:
                    if isinstance(reply, Failed):
                        raise ApiError(422, reply.message)
                    if isinstance(reply, Answer):
                        texts[reply.index] = reply.text
                    elif isinstance(reply, Finished) and reply.finish == "cancelled":
                        raise ApiError(409, "The batch was cancelled.")
            return BatchReply(texts=texts, seconds=time.monotonic() - started)

    def cancel(self) -> None:
        """End the answer or batch that is being written, if there is one."""
        if self._worker:
            self._worker.cancel_all()

    @asynccontextmanager
    async def _turn_of(self, voice: str) -> AsyncIterator[WorkerProcess]:
        self._users += 1
        try:
            # Looked at twice: all who wait for a load share its failure, and a worker that was
            # lost while others waited for their turn is started anew once.
            await self._ready(voice)
            async with self._turn:
                try:
                    yield await self._ready(voice)
                finally:
                    if self._leaving:
                        await self._go("The chat made room for a run.")
        except WorkerLostError as error:
            raise ApiError(503, str(error)) from error
        finally:
            self._users -= 1
            self._used_at = time.monotonic()

    async def _ready(self, voice: str) -> WorkerProcess:
        if self._closed:
            raise ApiError(409, _CLOSED)
        self._wanted.add(voice)
        self._prepare()
        await self.settle()
        if voice in self._refused:
            raise ApiError(422, self._refused[voice])
        if self._worker is None or self._worker.gone:
            raise WorkerLostError(self._error or "The chat worker ended.")
        return self._worker

    # -- ending --------------------------------------------------------------------------------

    async def sleep(self) -> None:
        """Give the memory back; the next request loads again."""
        await self._go("The chat was idle and gave its memory back.")

    async def leave(self) -> bool:
        """See Guest: at once when nobody is being answered, else after that answer."""
        if self._preparing or self._turn.locked():
            self._leaving = True
            return False
        await self._go("The chat made room for a run.")
        return True

    async def _go(self, reason: str) -> None:
        self._wanted.clear()
        await self._end_worker(reason)

    async def close(self) -> None:
        """Give the memory back for good; whoever waits for an answer hears that."""
        self._closed = True
        await self._end_worker(_CLOSED)
        await self.settle()

    async def _end_worker(self, reason: str) -> None:
        # Forgotten first, so that a request that comes meanwhile starts a worker of its own.
        worker, self._worker, self._error = self._worker, None, ""
        self._leaving = False
        if worker:
            await worker.end(reason)


def resolve(sampling: Sampling) -> Choice:
    """The request's sampling with every value settled."""
    return choose(**sampling.model_dump())


def _plain(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    return [message.model_dump() for message in messages]
