"""Real ssh servers on loopback, each with a folder, keys and port of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

from luthier.agent.launching import SupervisorIdentity, end_strays
from luthier.agent.paths import Home
from luthier.trainers.run_folder import AttemptFolder, RunFolder

_Found = TypeVar("_Found")
_WORKER = Path(__file__).parent.parent / "agent" / "worker.py"
_CONFIG = """\
ListenAddress {address}
Port {port}
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
MaxSessions 50
MaxStartups 100
PrintMotd no
Subsystem sftp internal-sftp
"""


def wait_for(
    look: Callable[[], _Found], until: Callable[[_Found], bool] = bool, seconds: float = 60
) -> _Found:
    """What ``look`` returns once ``until`` says that it is right; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if until(found):
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} seconds"
        time.sleep(0.02)


def make_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    """A new key pair."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@dataclass
class SshServer:
    """An sshd that takes the key ``id`` in its folder."""

    folder: Path
    address: str = "127.0.0.1"
    port: int = 0
    extra: str = ""
    prefix: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def key(self) -> Path:
        return self.folder / "id"

    @property
    def target(self) -> str:
        return f"{self.address}:{self.port}"

    def prepare(self) -> None:
        """Make keys once, and choose a port."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if not self.key.exists():
            make_key(self.folder / "host_key")
            make_key(self.key)
            public = self.key.with_name("id.pub").read_text()
            (self.folder / "authorized_keys").write_text(public)
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]

    def start(self) -> None:
        """Start the server and wait until it listens."""
        self.prepare()
        config = _CONFIG.format(address=self.address, port=self.port, folder=self.folder)
        (self.folder / "sshd_config").write_text(config + self.extra)
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [*self.prefix, _sshd(), "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._listens)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        if self.prefix:
            return "Server listening" in (self.folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), 1):
            return True
        return False

    def pids(self) -> list[int]:
        """The server and the processes that it made for connections."""
        assert self.process is not None
        found = [self.process.pid]
        for parent in found:
            with contextlib.suppress(OSError):
                children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
                sessions = [int(pid) for pid in children]
                found += [pid for pid in sessions if _name(pid).startswith("sshd")]
        return found

    def kill(self) -> None:
        """SIGKILL the server with all of its connections; what they had started lives on."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def new_host_key(self) -> None:
        """Become another host, as far as anybody can tell."""
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink()
        make_key(self.folder / "host_key")


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _sshd() -> str:
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("sshd is not installed (openssh-server)")
    if os.getuid() == 0:
        # Debian's service makes it; nobody does where no service runs.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return found


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


def _agent_fixtures() -> ModuleType:
    """The agent tests' stand-in worker and everything about it."""
    path = Path(__file__).parent.parent / "agent" / "conftest.py"
    spec = importlib.util.spec_from_file_location("luthier_agent_fixtures", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_AGENT = _agent_fixtures()
workshop = _AGENT.workshop


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
def an_agent(folder: Path, server: SshServer, **settings: Any) -> Iterator[Far]:
    """A started agent that knows the host "far", with the stand-in worker there."""
    agent = _AGENT.RealAgent(Home(folder / "home"))
    agent.write_settings(**settings)
    found = Far(agent, server, "far", folder / "far")
    found.know()
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


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """``wait_for``, for tests."""
    return wait_for


_CABLES = itertools.count(1)


class Cable:
    """A network of its own for one server, on a cable that can be pulled out."""

    def __init__(self, number: int) -> None:
        self.namespace = f"luthier{os.getpid()}x{number}"
        self._here = f"lt{os.getpid() % 100000}x{number}"
        self._net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self._last = 4 * number

    @property
    def address(self) -> str:
        """The server's."""
        return f"{self._net}.{self._last + 2}"

    def lay(self) -> None:
        """Make the network. Raises CalledProcessError where that is not allowed."""
        _ip("netns", "add", self.namespace)
        peer = ("peer", "name", "far", "netns", self.namespace)
        _ip("link", "add", self._here, "type", "veth", *peer)
        _ip("addr", "add", f"{self._net}.{self._last + 1}/30", "dev", self._here)
        _ip("-n", self.namespace, "addr", "add", f"{self.address}/30", "dev", "far")
        _ip("-n", self.namespace, "link", "set", "lo", "up")
        _ip("-n", self.namespace, "link", "set", "far", "up")
        self.mend()

    def cut(self) -> None:
        """Nothing goes through any more, and nobody is told."""
        _ip("link", "set", self._here, "down")

    def mend(self) -> None:
        """Everything goes through again."""
        _ip("link", "set", self._here, "up")

    def remove(self) -> None:
        """Take the network away, which what closes slowly would keep alive otherwise."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "del", self._here)
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self.namespace)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


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
