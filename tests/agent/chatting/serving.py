"""The chat routes on real sockets, over runs that are only folders."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
from fastapi import FastAPI

from luthier.agent.api import chats as chats_api
from luthier.agent.api import openai as openai_api
from luthier.agent.api import refusals
from luthier.agent.api.errors import ApiError
from luthier.agent.api.openai_tcp import serve_openai
from luthier.agent.chat.sessions import ChatSessions
from luthier.agent.leasing import Leases
from luthier.agent.models import Attempt, Chat, GenerateChunk, RunDetail
from luthier.agent.paths import Home
from luthier.agent.server import AgentServer
from luthier.agent.settings import Settings
from luthier.agent.sse import decode_events
from luthier.agent.states import RunState

from .models import write_adapter, write_model

_DEADLINE = 120.0


@dataclass
class Runs:
    """Finished runs over one base model, as the agent's core would know them."""

    folder: Path
    model: Path = field(init=False)
    known: dict[str, RunDetail] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model = self.folder / "base"
        write_model(self.model)
        for seed, name in enumerate(("one", "two")):
            run = self.add(name)
            write_adapter(Path(run.folder) / "artifacts" / "adapter", self.model, seed)
        write_model(Path(self.add("whole").folder) / "artifacts" / "model")
        self.add("unborn", state=RunState.RUNNING)
        prompts = {"sample_prompts": [{"prompt": "2nd May 1901", "expected": "x"}]}
        (self.folder / "runs" / "one" / "preflight.json").write_text(json.dumps(prompts))

    def add(self, run_id: str, *, state: RunState = RunState.SUCCEEDED) -> RunDetail:
        folder = self.folder / "runs" / run_id
        folder.mkdir(parents=True)
        run = RunDetail(
            id=run_id,
            name=f"the-{run_id}",
            task="llm-sft",
            model=str(self.model),
            host="local",
            state=state,
            created_at=1e9,
            attempts=[Attempt(number=1, started_at=1e9, devices=["cpu"])],
            artifact=str(folder / "artifacts") if state.finished else None,
            folder=str(folder),
            spec={"model": {"name_or_path": str(self.model)}, "launch": {"offline": True}},
        )
        self.known[run_id] = run
        return run

    def find(self, asked: str) -> RunDetail:
        for run in self.known.values():
            if asked in (run.id, run.name):
                return run
        raise ApiError(404, f"There is no run {asked!r}.")


class Served:
    """ChatSessions behind the real routes on a Unix socket and a loopback port."""

    def __init__(self, home: Home, runs: Runs, settings: Settings) -> None:
        self.home, self.runs, self.settings = home, runs, settings
        self.port = 0
        self.chats: ChatSessions
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._up.wait(30)
        transport = httpx.HTTPTransport(uds=str(home.socket))
        self.http = httpx.Client(transport=transport, base_url="http://luthier", timeout=_DEADLINE)

    async def _find(self, asked: str) -> RunDetail:
        return self.runs.find(asked)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self.chats = ChatSessions(
            self.home,
            self.settings,
            self._find,
            Leases(lambda host: [], lambda host: []),
            list_runs=lambda: list(self.runs.known.values()),
        )
        # The chat routes use no other part of the agent.
        services: Any = SimpleNamespace(home=self.home, settings=self.settings, chats=self.chats)
        app = FastAPI()
        app.state.services = services
        app.include_router(chats_api.router)
        app.include_router(openai_api.router)
        refusals.install(app)
        server = AgentServer(app, owners_only=True)
        tcp = await serve_openai(services, 0)
        self.port = tcp.port
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.home.socket))
            listener.listen()
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            self._up.set()
            await self._end.wait()
            await self.chats.shutdown()
            server.end()
            await tcp.close()
            await serving

    def close(self) -> None:
        self.http.close()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def open(self, *runs: str, **fields: Any) -> Chat:
        body = {"runs": list(runs), **fields}
        reply = self.http.post("/v1/chats", params={"wait": True}, json=body)
        assert reply.status_code in (200, 201), reply.text
        return Chat.model_validate_json(reply.content)

    def chat(self, chat_id: str) -> Chat:
        return Chat.model_validate_json(self.http.get(f"/v1/chats/{chat_id}").content)

    def pid(self, chat_id: str) -> int:
        pid = self.chats.get(chat_id).pid
        assert pid is not None
        return pid

    @contextmanager
    def generating(self, chat_id: str, **fields: Any) -> Iterator[Iterator[GenerateChunk]]:
        with self.http.stream(
            "POST", f"/v1/chats/{chat_id}/generate", json=question(**fields)
        ) as reply:
            assert reply.status_code == 200, reply.read()
            events = decode_events(reply.iter_lines())
            yield (GenerateChunk.model_validate_json(event.data) for event in events)

    def say(self, chat_id: str, **fields: Any) -> tuple[str, GenerateChunk]:
        with self.generating(chat_id, **fields) as chunks:
            heard = list(chunks)
        return "".join(chunk.text for chunk in heard), heard[-1]


def question(text: str = "Name a date", *, voice: str = "", **sampling: Any) -> dict[str, Any]:
    chosen = {"setting": "deterministic", "max_new_tokens": 20, **sampling}
    return {"messages": [{"role": "user", "content": text}], "voice": voice, "sampling": chosen}


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@contextmanager
def serving(folder: Path, runs: Runs, **settings: Any) -> Iterator[Served]:
    home = Home(folder)
    home.create()
    served = Served(home, runs, Settings(**settings))
    try:
        yield served
    finally:
        served.close()
