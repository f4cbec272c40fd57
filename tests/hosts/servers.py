"""Real ssh servers on loopback or elsewhere, each with a folder, keys and port of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import paramiko
import pytest

_Found = TypeVar("_Found")
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
        (self.folder / "sshd_config").write_text(self.extra + config)
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


@contextmanager
def asking_server(folder: Path, interface: Callable[[], paramiko.ServerInterface]) -> Iterator[str]:
    """A server on loopback that logs people in as the interface says; the account to log in to."""
    key = paramiko.Ed25519Key.from_private_key_file(str(make_key(folder / "host_key")))
    transports = []

    def serve() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            transports.append(paramiko.Transport(taken))
            transports[-1].add_server_key(key)
            transports[-1].start_server(threading.Event(), interface())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"guest@127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    for transport in transports:
        transport.close()
