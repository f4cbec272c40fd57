"""The hosts that runs can execute on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParameter
from fastapi.sse import EventSourceResponse

from luthier.trainers.errors import LuthierError

from ..hosts.cleaning import clean_host
from ..hosts.errors import DecisionNeededError, HostError
from ..hosts.host import Host
from ..hosts.local import LOCAL
from ..hosts.preflight import check_host
from ..hosts.setup import make_environment, use_python
from ..hosts.ssh_host import SshHost
from ..models import (
    FetchReply,
    FetchRequest,
    HostAnswers,
    HostCheck,
    HostConnection,
    HostInfo,
    HostNeed,
    HostRequest,
    SetupLine,
    SetupRequest,
)
from ..services import Services
from .agent import Parts
from .errors import ApiError, replies
from .results import KnownRun

router = APIRouter(prefix="/v1", tags=["hosts"])
Name = Annotated[str, PathParameter(description="The host's name.")]


def _known(name: Name, parts: Parts) -> SshHost:
    try:
        return parts.hosts.known(name)
    except HostError as error:
        raise ApiError(404, error.message, hint=error.hint) from error


Known = Annotated[SshHost, Depends(_known)]


def _info(parts: Services, name: str) -> HostInfo:
    active = sum(run.host == name and run.state.active for run in parts.runs.runs())
    host = parts.hosts.get(name)
    if not isinstance(host, SshHost):
        folder = str(parts.home.path)
        return HostInfo(
            name=name, target="", folder=folder, connected=True, runs=active, **_price(host)
        )
    return HostInfo(
        name=name,
        target=host.record.target,
        folder=host.record.folder,
        python=host.record.python,
        offline=host.record.offline,
        connected=host.connected,
        unreachable_since=host.unreachable_since,
        trouble=host.trouble,
        runs=active,
        **_price(host),
    )


def _price(host: Host) -> dict[str, Any]:
    price = host.price
    return {} if price is None else {"price_per_hour": price.hour, "currency": price.currency}


@router.get("/hosts")
async def list_hosts(parts: Parts) -> list[HostInfo]:
    """The hosts, this one first."""
    return [_info(parts, name) for name in parts.hosts.names()]


@router.get("/hosts/{name}", responses=replies(404))
async def get_host(name: Name, parts: Parts) -> HostInfo:
    """One host."""
    return _info(parts, name if name == LOCAL else _known(name, parts).name)


@router.put("/hosts/{name}")
async def add_host(name: Name, request: HostRequest, parts: Parts) -> HostInfo:
    """Add a host, or change one; nothing is connected yet."""
    await asyncio.to_thread(parts.hosts.add, name, **request.model_dump())
    return _info(parts, name)


@router.post("/hosts/{name}/connect", responses=replies(404))
async def connect_host(host: Known, answers: HostAnswers, parts: Parts) -> HostConnection:
    """Connect now, with what a person has decided or typed; says what is needed first."""
    need = None
    try:
        await asyncio.to_thread(host.reach, answers.accept, answers.secrets, answers.agent_socket)
    except DecisionNeededError as error:
        need = HostNeed(
            kind=error.kind,
            what=error.what,
            message=str(error),
            fingerprint=error.fingerprint,
            prompt=error.prompt,
            shown=error.shown,
        )
    return HostConnection(host=_info(parts, host.name), need=need)


@router.post("/hosts/{name}/check", responses=replies(404))
async def check(host: Known, parts: Parts) -> list[HostCheck]:
    """Look at everything that a run there needs."""
    hub = not parts.settings.offline
    return await asyncio.to_thread(lambda: list(check_host(host, hub=hub)))


@router.post("/hosts/{name}/setup", response_class=EventSourceResponse, responses=replies(404))
async def set_up(host: Known, request: SetupRequest, parts: Parts) -> AsyncIterator[SetupLine]:
    """Give the host a Python that can train; server-sent events tell how it goes."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[SetupLine]()

    def say(text: str, **how: object) -> None:
        line = SetupLine.model_validate({"text": text, **how})
        loop.call_soon_threadsafe(lines.put_nowait, line)

    def work() -> None:
        try:
            if request.python is not None:
                python = use_python(host, request.python)
            else:
                wheels = Path(request.wheels) if request.wheels else None
                python = make_environment(host, wheels, say)
            parts.hosts.update(host, python=python)
            say(f"{host.name} trains with {python}.", ended=True)
        except (LuthierError, OSError) as error:
            say("", ended=True, error=str(error))

    working = asyncio.create_task(asyncio.to_thread(work))
    while not (line := await lines.get()).ended:
        yield line
    await working
    yield line


@router.delete("/hosts/{name}", status_code=204, responses=replies(404, 409))
async def remove_host(
    host: Known,
    parts: Parts,
    clean: Annotated[bool, Query(description="Delete what lies there of ours.")] = True,
    force: Annotated[bool, Query(description="Give up its active runs.")] = False,
) -> None:
    """Forget a host."""
    active = [run.id for run in parts.runs.runs() if run.host == host.name and run.state.active]
    if active and not force:
        raise ApiError(
            409,
            f"Host {host.name} has active runs: {', '.join(active)}.",
            hint="Stop them first, or give them up with --force.",
        )
    if clean:
        runs = [run.id for run in parts.runs.runs() if run.host == host.name]
        try:
            await asyncio.to_thread(clean_host, host, runs)
        except HostError as error:
            raise ApiError(
                409, error.message, hint="Forget it without cleaning: --keep."
            ) from error
    await parts.runs.give_up(host.name)
    await asyncio.to_thread(parts.hosts.remove, host.name)


@router.post("/runs/{run_id}/fetch", responses=replies(404, 409))
async def fetch(run: KnownRun, request: FetchRequest, parts: Parts) -> FetchReply:
    """Bring files of a run here from its host; those that are here are not moved again."""
    host = parts.hosts.get(parts.runs.find(run).host)
    if not isinstance(host, SshHost):
        raise ApiError(409, f"Run {run} is on host {host.name}; there is nothing to fetch.")
    folder = parts.home.run(run)
    files = await asyncio.to_thread(
        host.fetch, folder, request.patterns, (), lambda doing: parts.runs.note_phase(run, doing)
    )
    return FetchReply(files=files)
