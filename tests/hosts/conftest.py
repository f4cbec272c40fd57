"""Persons, ssh servers, hosts and agents for the tests."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.loading import load_module

from luthier.agent.cli.main import main
from luthier.agent.client import Client
from luthier.agent.hardware.monitor import HardwareMonitor
from luthier.agent.hosts.hosts import Hosts
from luthier.agent.hosts.ssh_host import SshHost
from luthier.agent.launching import SupervisorIdentity, end_strays
from luthier.agent.paths import Home
from luthier.agent.settings import Settings
from luthier.trainers.run_folder import AttemptFolder, RunFolder

from .cables import Cable
from .servers import SshServer, wait_for

_WORKER = Path(__file__).parent.parent / "agent" / "worker.py"


@contextlib.contextmanager
def a_person(home: Path) -> Iterator[Path]:
    """A person without any ssh configuration or agent; their home."""
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.delenv("SSH_AUTH_SOCK", raising=False)
        yield home


@contextlib.contextmanager
def a_server(folder: Path, person: Path) -> Iterator[SshServer]:
    """A running server whose key the person has."""
    server = SshServer(folder)
    server.start()
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    shutil.copy(f"{server.key}.pub", person / ".ssh" / "id_ed25519.pub")
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Path]:
    """A person of one test."""
    with a_person(tmp_path / "person") as home:
        yield home


@pytest.fixture
def sshd(tmp_path: Path, person: Path) -> Iterator[SshServer]:
    """A server of one test."""
    with a_server(tmp_path / "sshd", person) as server:
        yield server


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[..., SshServer]]:
    """Starts more servers: ``another("jump", extra="...")``."""
    servers: list[SshServer] = []

    def start(name: str, **settings: object) -> SshServer:
        server = SshServer(tmp_path / name, **settings)  # type: ignore[arg-type]
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def password_server(tmp_path: Path) -> Iterator[SshServer]:
    """A server whose account ``guest`` has the password "open sesame", and no key counts.

    The account is in copies of /etc/passwd and /etc/shadow that only this server sees.
    """
    extra = "PasswordAuthentication yes\nPermitRootLogin yes\nPubkeyAuthentication no\n"
    server = SshServer(tmp_path / "sshd", extra=extra, prefix=a_guest(tmp_path))
    server.start()
    yield server
    server.kill()


def a_guest(folder: Path, *mounts: str) -> list[str]:
    """Before a command: it sees an account ``guest`` with that password, after more mounts."""
    if os.getuid() != 0:
        pytest.skip("only root can make an account with a password")
    digest = subprocess.run(
        ["openssl", "passwd", "-6", "open sesame"], capture_output=True, text=True, check=False
    ).stdout.strip()
    commands = list(mounts)
    for name, line in (
        ("passwd", f"guest:x:0:0::{folder}:/bin/sh\n"),
        ("shadow", f"guest:{digest}:19000:0:99999:7:::\n"),
    ):
        copy = folder / name
        copy.touch(mode=0o600)
        copy.write_text(Path(f"/etc/{name}").read_text() + line)
        copy.chmod(0o644 if name == "passwd" else 0o600)
        commands.append(f"mount --bind {copy} /etc/{name}")
    script = f'{" && ".join(commands)} && exec "$@"'
    prefix = ["unshare", "-m", "sh", "-c", script, "sh"]
    if not digest or subprocess.run([*prefix, "true"], check=False).returncode != 0:
        pytest.skip("no account can be made: openssl or a mount namespace is missing")
    return prefix


def _agent_fixtures() -> ModuleType:
    """The agent tests' stand-in worker and everything about it."""
    path = Path(__file__).parent.parent / "agent" / "conftest.py"
    return load_module(path)


_AGENT = _agent_fixtures()
workshop = _AGENT.workshop
Workshop = _AGENT.Workshop


class Far:
    """A host of a real agent, and what lies on it."""

    def __init__(self, agent: Any, server: SshServer, name: str, folder: Path) -> None:
        self.agent = agent
        self.server = server
        self.name = name
        self.folder = folder

    def know(self, worker: Path | None = _WORKER, **settings: Any) -> None:
        """Let the agent, which is not started yet, know the host."""
        hosts = self.agent.home.path / "hosts"
        hosts.mkdir(exist_ok=True)
        record = {
            "name": self.name,
            "target": self.server.target,
            "folder": str(self.folder),
            "python": sys.executable,
            "helper": sys.executable,
            "worker_command": [sys.executable, str(worker)] if worker else [],
            **settings,
        }
        (hosts / f"{self.name}.host.json").write_text(json.dumps(record))
        kind, key, *_ = (self.server.folder / "host_key.pub").read_text().split()
        with (hosts / "known_hosts").open("a") as file:
            file.write(f"[{self.server.address}]:{self.server.port} {kind} {key}\n")

    def attempt(self, run: str, number: int = 1) -> AttemptFolder:
        """The attempt's folder there."""
        return RunFolder(self.folder / "runs" / run).attempt(number)

    def end_everything(self) -> None:
        """End what was started there."""
        for path in (self.folder / "runs").glob("*/attempt-*"):
            attempt = RunFolder(path.parent).attempt(int(path.name.split("-")[1]))
            identity = SupervisorIdentity.read(attempt)
            if identity is not None and identity.is_alive():
                os.kill(identity.pid, signal.SIGKILL)
            end_strays(path.parent.name, attempt.number, grace_seconds=0.1)


@contextlib.contextmanager
def an_agent(
    folder: Path, server: SshServer, record: Mapping[str, Any] | None = None, **settings: Any
) -> Iterator[Far]:
    """A started agent that knows the host "far", with the stand-in worker there.

    ``record`` is what else it knows of it; ``settings`` are the agent's.
    """
    agent = _AGENT.RealAgent(Home(folder / "home"))
    agent.write_settings(**settings)
    found = Far(agent, server, "far", folder / "far")
    found.know(**(record or {}))
    agent.start()
    try:
        yield found
    finally:
        agent.end_everything()
        found.end_everything()


@pytest.fixture
def far(sshd: SshServer, tmp_path: Path) -> Iterator[Far]:
    """A host and an agent of one test."""
    with an_agent(tmp_path, sshd) as found:
        yield found


@pytest.fixture
def real_agent(far: Far) -> Any:
    """The agent of the test's host."""
    return far.agent


@pytest.fixture
def luthier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Calls a command: its exit code, its output, its errors."""
    monkeypatch.setenv("LUTHIER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(arguments)
        said = capfd.readouterr()
        return int(code), said.out, said.err

    yield call
    with Client(Home(tmp_path / "home"), start=False) as client:
        client.shutdown()


@pytest.fixture
def known(tmp_path: Path, person: Path) -> Iterator[Callable[..., SshHost]]:
    """Hosts without an agent: ``known(server, python=...)``."""
    made: list[Hosts] = []

    def call(server: SshServer, **settings: Any) -> SshHost:
        shutil.copy(server.key, person / ".ssh" / "id_ed25519")
        hosts = Hosts(tmp_path / "hosts", Settings(), HardwareMonitor())
        made.append(hosts)
        host = hosts.add("far", server.target, folder=str(tmp_path / "far"))
        kind, key, *_ = (server.folder / "host_key.pub").read_text().split()
        line = f"[{server.address}]:{server.port} {kind} {key}\n"
        (tmp_path / "hosts" / "known_hosts").write_text(line)
        hosts.update(host, **settings)
        return host

    yield call
    for hosts in made:
        hosts.close()


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """``wait_for``, for tests."""
    return wait_for


_CABLES = itertools.count(1)


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A cable to a network of its own."""
    if os.getuid() != 0:
        pytest.skip("network namespaces can only be made by root")
    made = Cable(next(_CABLES))
    try:
        made.lay()
    except (OSError, subprocess.CalledProcessError) as error:
        made.remove()
        pytest.skip(f"no network namespace can be made here: {error}")
    yield made
    made.remove()


@pytest.fixture
def distant(cable: Cable, person: Path, tmp_path: Path) -> Iterator[Far]:
    """A host at the other end of the cable, and an agent that knows it."""
    prefix = ["ip", "netns", "exec", cable.namespace]
    server = SshServer(tmp_path / "sshd", address=cable.address, port=2222, prefix=prefix)
    server.start()
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    try:
        with an_agent(tmp_path, server) as found:
            yield found
    finally:
        server.kill()
