"""Chats and runs on one GPU: real runs, real chats; only the driver's library is made up.

The chat's worker computes on the CPU, whichever device it was given.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from luthier.agent.api.errors import ApiError
from luthier.agent.chat.pipe import Pipe
from luthier.agent.chat.place import LocalPlace
from luthier.agent.chat.session import Session
from luthier.agent.chat.sessions import ChatSessions
from luthier.agent.daemon import open_store
from luthier.agent.hardware.monitor import HardwareMonitor
from luthier.agent.hardware.nvidia import NvidiaDevices
from luthier.agent.hosts.hosts import Hosts
from luthier.agent.launching import end_strays
from luthier.agent.models import (
    Attempt,
    GenerateRequest,
    OpenChatRequest,
    Run,
    RunDetail,
    SubmitRequest,
)
from luthier.agent.paths import Home
from luthier.agent.problems import Problems
from luthier.agent.runs.manager import RunManager
from luthier.agent.settings import Settings
from luthier.agent.stream import Stream

from .serving import Runs, is_gone, question

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]
_GIB = 1 << 30
_DEADLINE = 120.0
_STAND_IN = Path(__file__).parents[1] / "worker.py"


class _Driver:
    """NVIDIA's library on a machine with one GPU of 8 GiB, ``used`` of which are taken."""

    def __init__(self) -> None:
        self.used = 0
        self._said: dict[str, Callable[..., Any]] = {
            "nvmlInit": lambda: None,
            "nvmlDeviceGetCount": lambda: 1,
            "nvmlSystemGetDriverVersion": lambda: "570.86.10",
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=8 * _GIB, used=self.used),
            "nvmlDeviceGetComputeRunningProcesses": lambda _: [],
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("nvmlDeviceGet") and name not in self._said:
            return self._refuse
        return self._said.get(name) or getattr(pynvml, name)

    def _refuse(self, *_: Any) -> Any:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


class _OnCpu(LocalPlace):
    """This host, without its GPU."""

    def __init__(self) -> None:
        self.given: list[tuple[str, ...]] = []

    async def start(self, devices: Sequence[str], *, offline: bool, token: bool, log: Path) -> Pipe:
        self.given.append(tuple(devices))
        return await super().start(("cpu",), offline=offline, token=token, log=log)


class _Stage:
    """A run manager and its chats over one made-up GPU."""

    def __init__(self, folder: Path, runs: Runs) -> None:
        home = Home(folder / "home")
        home.create()
        settings = Settings(worker_command=[sys.executable, str(_STAND_IN)])
        self.driver, self.place, self.folder = _Driver(), _OnCpu(), folder
        driver = NvidiaDevices(self.driver, folder)
        self.monitor = monitor = HardwareMonitor(home.path, nvidia=driver)
        problems, (self.store, _) = Problems(), open_store(home)
        hosts = Hosts(home.path / "hosts", settings, monitor)
        self.runs = RunManager(home, settings, self.store, Stream(self.store), hosts, problems)

        async def find(name: str) -> RunDetail:
            attempt = Attempt(number=1, started_at=1e9, devices=["cuda:0"])
            return runs.find(name).model_copy(update={"attempts": [attempt]})

        self.chats = ChatSessions(
            home, settings, find, self.runs.leases, place=lambda host: self.place
        )

    async def open(self, **request: Any) -> Session:
        session, _ = await self.chats.open(OpenChatRequest(**request))
        return session

    async def submit(self, name: str, gate: Path) -> str:
        data = self.folder / f"{name}.json"
        data.write_text(json.dumps({"steps": 2, "hold": {"1": str(gate)}}))
        spec = {
            "task": "llm-sft",
            "name": name,
            "model": {"name_or_path": "luthier/none"},
            "data": {"path": str(data)},
        }
        return (await self.runs.submit(SubmitRequest(spec=spec))).id

    async def until(self, run: str, right: Callable[[Run], bool]) -> Run:
        async with asyncio.timeout(_DEADLINE):
            while not right(found := self.runs.find(run)):
                await asyncio.sleep(0.02)
        return found

    async def fill(self, used: int) -> None:
        """Take that much of the GPU's memory, as soon as the monitor looks again."""
        self.driver.used = used
        while self.monitor.devices()[1].memory_used != used:
            await asyncio.sleep(0.02)

    @property
    def guests(self) -> list[str]:
        return self.runs.leases.guests("local").get("cuda:0", [])


async def _said(session: Session, **sampling: Any) -> str:
    asked = GenerateRequest.model_validate(question(voice="one", **sampling))
    async with aclosing(session.answer(asked)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


async def _walk(stage: _Stage) -> None:
    gate = stage.folder / "go"
    await stage.runs.start(on_damage=lambda error: None)
    chat = await stage.open(runs=["one"])
    await chat.settle()
    label = f"chat {chat.id} with one"
    assert (stage.place.given, stage.guests) == ([("cuda:0",)], [label])
    assert stage.runs.users("local") == {"cuda:0": [label]}

    # A run waits for the answer that is being given, and for nothing else.
    long = asyncio.create_task(_said(chat, max_new_tokens=4000))
    while chat.describe().state != "busy":
        await asyncio.sleep(0.01)
    pid = chat.pid
    assert pid is not None
    run = await stage.submit("violin", gate)
    reason = f"Waits for cuda:0, where {label} completes an answer."
    await stage.until(run, lambda found: found.reason == reason)
    with pytest.raises(ApiError, match="run violin is next on cuda:0"):
        await stage.runs.leases.take(chat, await chat._wish())
    chat.cancel()
    assert await long
    started = await stage.until(run, lambda found: found.progress.step == 1)
    assert started.attempts[-1].devices == ["cuda:0"]
    assert is_gone(pid)
    assert (stage.guests, chat.asleep) == ([], True)

    # Beside the run there is room or there is not.
    await stage.fill(15 * _GIB // 2)
    with pytest.raises(ApiError, match=r"run violin holds cuda:0, which leaves 512 MiB .* --cpu"):
        await _said(chat)
    other = await stage.open(runs=["one"], cpu=True)
    while not other.devices:
        await asyncio.sleep(0.01)
    assert (other.devices, other is chat) == (("cpu",), False)
    await stage.chats.close(other.id)
    await stage.fill(_GIB)
    assert await _said(chat)
    assert stage.guests == [label]

    # Who answers nobody goes at once.
    gate.touch()
    await stage.until(run, lambda found: found.state.finished)
    second = await stage.submit("viola", gate)
    assert (await stage.until(second, lambda found: found.state.finished)).started_at
    assert stage.guests == []


def test_a_gpu_is_shared_by_rule(runs: Runs, tmp_path: Path) -> None:
    async def play() -> None:
        stage = _Stage(tmp_path, runs)
        try:
            await _walk(stage)
        finally:
            await stage.chats.shutdown()
            await stage.runs.close()
            for run in stage.runs.runs():
                end_strays(run.id, 1, grace_seconds=0.1)
            stage.store.close()

    asyncio.run(play())
