"""The agent's process: its parts are made, serve, and are put away."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import logging.handlers
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from luthier import __version__
from luthier.trainers.errors import LuthierError

from .api.openai_tcp import OpenAiServer, serve_openai
from .app import create_app
from .chat.sessions import ChatSessions
from .estimating import Estimator
from .hardware.monitor import HardwareMonitor
from .hosts.chatting import place_on
from .hosts.hosts import Hosts
from .lock import only_agent
from .paths import Home
from .predicting.predictors import Predictors
from .problems import Problems
from .runs.manager import RunManager
from .server import AgentServer, listening
from .services import Services
from .settings import Settings, load_settings
from .store import DamagedDatabase, Store
from .stream import Stream

_log = logging.getLogger(__name__)
_LOG_BYTES = 2_000_000
_LOGS_KEPT = 3
_HOME_SECONDS = 2.0


def main(tcp_port: int | None = None) -> int:
    """Run the agent of LUTHIER_HOME in the foreground; returns the exit code.

    Args:
        tcp_port: loopback port of the OpenAI API, instead of the one in the settings.
    """
    os.umask(0o077)
    home = Home.from_environment()
    try:
        home.create()
        with only_agent(home):
            _set_up_process(home)
            _run(home, tcp_port)
    except LuthierError as error:
        # One line: it is what the client that started this process shows.
        print(" ".join(str(error).split()), file=sys.stderr)
        return error.exit_code
    except OSError as error:
        where = error.filename or home.path
        print(f"{where}: the agent cannot use it: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


def _set_up_process(home: Home) -> None:
    os.chdir(home.path)
    faulthandler.enable()
    # A full disk must not fill standard error instead.
    logging.raiseExceptions = False
    handler = logging.handlers.RotatingFileHandler(
        home.log, maxBytes=_LOG_BYTES, backupCount=_LOGS_KEPT, encoding="utf-8", delay=True
    )
    logging.basicConfig(
        handlers=[handler],
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _run(home: Home, tcp_port: int | None) -> None:
    """Serve until told to end; a damaged database is replaced on the way."""
    rebuilt = ""
    settings = load_settings(home.settings)
    if tcp_port is not None:
        settings = settings.model_copy(update={"tcp_port": tcp_port})
    while True:
        store, why = open_store(home)
        agent = Agent(home, settings, store, rebuilt=rebuilt or why)
        try:
            asyncio.run(agent.serve())
        finally:
            store.close()
        if agent.damage is None:
            return
        rebuilt = _set_aside(home, agent.damage)


def open_store(home: Home) -> tuple[Store, str]:
    """The home's store, and why it starts empty (silent when it does not).

    Raises:
        StoreUnavailable, NewerDatabase: there is no way around it.
    """
    try:
        store = Store.open(home.database)
    except DamagedDatabase as error:
        why = _set_aside(home, error)
        return Store.open(home.database), why
    return store, "The database was missing." if store.fresh else ""


def _set_aside(home: Home, error: DamagedDatabase) -> str:
    _log.error("%s", error)
    return f"The database was damaged and is kept as {Store.set_aside(home.database)}."


def _calm_garbage_collection() -> None:
    """Keep the collector's pauses short: it stops the event loop, too.

    What the imports and the routes have made stays for good and need not be looked at. Events are
    freed without the collector, so that it need not look often at those that are on their way.
    """
    gc.freeze()
    gc.set_threshold(5_000, 10, 200)
    gc.enable()


def _file_identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Agent:
    """One life of the agent, from an open store to the end of its server.

    Attributes:
        damage: what was found wrong with the database, when that ended it.
    """

    def __init__(self, home: Home, settings: Settings, store: Store, *, rebuilt: str) -> None:
        self.damage: DamagedDatabase | None = None
        self._home = home
        self._settings = settings
        self._store = store
        self._rebuilt = rebuilt
        self._told_to_end: asyncio.Event

    async def serve(self) -> None:
        """Serve until a signal, a client or a damaged database ends it; runs go on."""
        self._told_to_end = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._told_to_end.set)
        problems = Problems()
        stream = Stream(self._store)
        monitor = HardwareMonitor(self._home.path, self._settings.cpu_slots)
        hosts = Hosts(self._home.path / "hosts", self._settings, monitor)
        for problem in hosts.problems:
            problems.set("hosts", problem)
        runs = RunManager(self._home, self._settings, self._store, stream, hosts, problems)
        chats = ChatSessions(
            self._home,
            self._settings,
            runs.detail,
            runs.leases,
            list_runs=runs.runs,
            place=partial(place_on, hosts),
        )
        predictors = Predictors(self._home, self._settings, runs.leases)
        services = Services(
            home=self._home,
            settings=self._settings,
            store=self._store,
            stream=stream,
            runs=runs,
            hosts=hosts,
            hardware=monitor,
            chats=chats,
            predictors=predictors,
            estimator=Estimator(hosts, runs.users, self._store, offline=self._settings.offline),
            problems=problems,
            started_at=time.time(),
        )
        await runs.start(rebuilt=self._rebuilt, on_damage=self._found_damage)
        watch = asyncio.create_task(self._end_with_the_home())
        try:
            await self._serve_http(services)
        finally:
            watch.cancel()
            await runs.close()
            await asyncio.to_thread(hosts.close)
            _log.info("ended")

    async def _serve_http(self, services: Services) -> None:
        app = create_app(services, end=self._told_to_end.set)
        _calm_garbage_collection()
        server = AgentServer(app, owners_only=True)
        tcp = await self._open_port(services)
        with listening(self._home) as listener:
            _log.info("luthier %s listens on %s", __version__, self._home.socket)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            await self._told_to_end.wait()
            # What streams would never end by itself.
            services.stream.close()
            await services.chats.shutdown()
            await services.predictors.shutdown()
            server.end()
            if tcp is not None:
                await tcp.close()
            await serving

    async def _open_port(self, services: Services) -> OpenAiServer | None:
        """The loopback port of the OpenAI API; without it the agent is useful all the same."""
        if self._settings.tcp_port is None:
            return None
        try:
            tcp = await serve_openai(services, self._settings.tcp_port)
        except LuthierError as error:
            services.problems.set("tcp_port", str(error))
            return None
        services.tcp_port = tcp.port
        return tcp

    async def _end_with_the_home(self) -> None:
        """End when the home is deleted: nothing could be kept, and another agent may come."""
        lock = await asyncio.to_thread(_file_identity, self._home.lock)
        while await asyncio.to_thread(_file_identity, self._home.lock) == lock:
            await asyncio.sleep(_HOME_SECONDS)
        _log.error("%s is gone", self._home.path)
        self._told_to_end.set()

    def _found_damage(self, error: DamagedDatabase) -> None:
        self.damage = error
        self._told_to_end.set()
