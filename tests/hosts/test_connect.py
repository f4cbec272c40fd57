"""Connections to real servers: keys, host keys, jumps and the person's configuration."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from luthier.agent.hosts.connect import Connection, connect
from luthier.agent.hosts.errors import (
    DecisionNeededError,
    HostError,
    HostKeyChangedError,
    HostUnreachableError,
)
from luthier.agent.hosts.host_keys import KnownHosts
from luthier.agent.hosts.secrets import Secrets
from luthier.agent.hosts.target import parse_target

from .servers import SshServer, asking_server


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Connection]]:
    """Connects, accepting every key that is asked about, and closes in the end."""
    made: list[Connection] = []

    def call(target: str, secrets: Secrets | None = None, trust: bool = True) -> Connection:
        accepted: set[str] = set()
        while True:
            known = KnownHosts(tmp_path / "own" / "known_hosts", accepted)
            try:
                made.append(connect(parse_target(target), known, secrets or Secrets()))
            except DecisionNeededError as error:
                if error.kind != "host_key" or not trust or error.fingerprint in accepted:
                    raise
                accepted.add(error.fingerprint)
            else:
                return made[-1]

    yield call
    for connection in made:
        connection.close()


def said(connection: Connection, command: str) -> str:
    with connection.command(command).makefile("rb") as output:
        return str(output.read().decode().strip())


def test_unknown_key_is_asked_about_once(
    sshd: SshServer, opened: Callable[..., Connection]
) -> None:
    with pytest.raises(DecisionNeededError) as asked:
        opened(sshd.target, trust=False)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", sshd.folder / "host_key.pub"], capture_output=True, text=True
    )
    assert asked.value.kind == "host_key"
    assert asked.value.fingerprint == shown.stdout.split()[1]
    assert said(opened(sshd.target), "echo hello") == "hello"
    assert said(opened(sshd.target, trust=False), "echo again") == "again"


def test_changed_key_is_refused(
    sshd: SshServer, opened: Callable[..., Connection], tmp_path: Path
) -> None:
    opened(sshd.target)
    sshd.kill()
    sshd.new_host_key()
    sshd.start()
    with pytest.raises(HostKeyChangedError, match="another host key than before"):
        opened(sshd.target)
    own = tmp_path / "own" / "known_hosts"
    subprocess.run(
        ["ssh-keygen", "-R", f"[127.0.0.1]:{sshd.port}", "-f", own], check=True, capture_output=True
    )
    assert said(opened(sshd.target), "echo new") == "new"


@pytest.mark.parametrize("hashed", [False, True])
def test_keys_that_ssh_knows_count(
    sshd: SshServer, person: Path, opened: Callable[..., Connection], hashed: bool
) -> None:
    public = (sshd.folder / "host_key.pub").read_text()
    known = person / ".ssh" / "known_hosts"
    known.write_text(f"# a remark\n@revoked * {public}[127.0.0.1]:{sshd.port} {public}")
    if hashed:
        subprocess.run(["ssh-keygen", "-H", "-f", known], check=True, capture_output=True)
    assert said(opened(sshd.target, trust=False), "echo known") == "known"


def test_configuration_is_honoured(
    sshd: SshServer, person: Path, opened: Callable[..., Connection], tmp_path: Path
) -> None:
    shutil.move(person / ".ssh" / "id_ed25519", tmp_path / "elsewhere")
    included = tmp_path / "included.conf"
    included.write_text(
        f"Host box\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {tmp_path}/elsewhere\n"
    )
    (person / ".ssh" / "config").write_text(f"Include {included}\nHost *\n  User root\n")
    connection = opened("box")
    assert connection.settings.account == f"root@127.0.0.1:{sshd.port}"
    assert said(connection, "echo included") == "included"


def test_jump_host_and_proxy_command(
    sshd: SshServer,
    another: Callable[..., SshServer],
    person: Path,
    opened: Callable[..., Connection],
) -> None:
    jump = another("jump")
    shutil.copy(jump.key, person / ".ssh" / "jump")
    (person / ".ssh" / "config").write_text(
        f"Host jump\n HostName 127.0.0.1\n Port {jump.port}\n IdentityFile {person}/.ssh/jump\n"
        f"Host far near farther\n HostName 127.0.0.1\n Port {sshd.port}\n"
        f"Host second\n HostName 127.0.0.1\n Port {jump.port}\n ProxyJump jump\n"
        f" IdentityFile {person}/.ssh/jump\n"
        "Host far\n ProxyJump jump\n"
        "Host farther\n ProxyJump second\n"
        "Host ring\n ProxyJump circle\nHost circle\n ProxyJump ring\n"
        f"Host near\n ProxyCommand ssh -F {person}/.ssh/config -oStrictHostKeyChecking=no"
        f" -oUserKnownHostsFile=/dev/null -W %h:%p jump\n"
    )
    far = opened("far")
    assert said(far, "echo $SSH_CONNECTION").split()[-1] == str(sshd.port)
    before = (jump.folder / "log").read_text().count("Accepted publickey")
    assert before
    # Its jump host is behind another one.
    assert said(opened("farther"), "echo through two") == "through two"
    assert (jump.folder / "log").read_text().count("Accepted publickey") == before + 2
    with pytest.raises(HostError, match="goes through more than"):
        opened("ring")
    assert said(opened("near"), "echo through") == "through"


def test_encrypted_key_asks_for_its_passphrase(
    sshd: SshServer, person: Path, opened: Callable[..., Connection]
) -> None:
    key = person / ".ssh" / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret 1", "-f", key], check=True)
    secrets = Secrets()
    for told in (None, "wrong"):
        if told:
            secrets.tell({"passphrase": {str(key): told}})
        with pytest.raises(DecisionNeededError) as asked:
            opened(sshd.target, secrets)
        assert (asked.value.kind, asked.value.what) == ("passphrase", str(key))
        assert "wrong" not in str(asked.value)
    secrets.tell({"passphrase": {str(key): "secret 1"}})
    assert said(opened(sshd.target, secrets), "echo open") == "open"
    assert "secret 1" not in repr(secrets)


def test_keys_of_the_ssh_agent(
    sshd: SshServer, person: Path, opened: Callable[..., Connection], tmp_path: Path
) -> None:
    socket = tmp_path / "agent.sock"
    started = subprocess.run(
        ["ssh-agent", "-a", socket], capture_output=True, text=True, check=True
    )
    pid = int(started.stdout.split("SSH_AGENT_PID=")[1].split(";")[0])
    try:
        key = person / ".ssh" / "id_ed25519"
        environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
        subprocess.run(["ssh-add", "-q", key], env=environment, check=True)
        key.unlink()
        key.with_name("id_ed25519.pub").unlink()
        secrets = Secrets()
        secrets.tell({}, str(socket))
        assert said(opened(sshd.target, secrets), "echo agent") == "agent"
    finally:
        os.kill(pid, 15)


def test_password_is_asked_for_and_kept_in_memory(
    password_server: SshServer, person: Path, opened: Callable[..., Connection]
) -> None:
    server, secrets = password_server, Secrets()
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    account = f"guest@{server.target}"
    for told, sentence in ((None, "its password is needed"), ("wrong", "refuses that password")):
        if told:
            secrets.tell({"password": {account: told}})
        with pytest.raises(DecisionNeededError, match=sentence) as asked:
            opened(account, secrets)
        assert (asked.value.kind, asked.value.what) == ("password", account)
        assert "wrong" not in str(asked.value)
    secrets.tell({"password": {account: "open sesame"}})
    for _ in range(2):
        assert said(opened(account, secrets), "echo $USER") == "guest"
    log = (server.folder / "log").read_text()
    assert log.count("Accepted password for guest") == 2


class _Interactive(paramiko.ServerInterface):
    """Takes a password only as the answer to a question, as servers with PAM do."""

    def get_allowed_auths(self, username: str) -> str:
        return "keyboard-interactive"

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        right = responses == ["open sesame"]
        return int(paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED)


def test_password_as_the_answer_to_a_question(
    person: Path, opened: Callable[..., Connection]
) -> None:
    # sshd asks questions through PAM only, which needs an account of the machine.
    with asking_server(person, _Interactive) as account:
        secrets = Secrets()
        with pytest.raises(DecisionNeededError, match="its password is needed"):
            opened(account, secrets)
        secrets.tell({"password": {account: "wrong"}})
        with pytest.raises(DecisionNeededError, match="refuses that password"):
            opened(account, secrets)
        secrets.tell({"password": {account: "open sesame"}})
        assert opened(account, secrets).alive


def test_no_way_in_is_told(
    sshd: SshServer, person: Path, opened: Callable[..., Connection]
) -> None:
    (person / ".ssh" / "id_ed25519").unlink()
    with pytest.raises(HostError, match=r"refuses the login.*ssh-copy-id"):
        opened(sshd.target)
    sshd.kill()
    with pytest.raises(HostUnreachableError, match="cannot be reached: Connection refused"):
        opened(sshd.target)


def test_a_key_that_cannot_be_read_hides_no_other(
    sshd: SshServer, person: Path, opened: Callable[..., Connection]
) -> None:
    bad = person / ".ssh" / "id_rsa"
    bad.write_text("this is no key")
    assert said(opened(sshd.target), "echo in") == "in"
    (person / ".ssh" / "id_ed25519").unlink()
    with pytest.raises(HostError, match=r"id_rsa \(which cannot be used: "):
        opened(sshd.target)


def test_what_is_wrong_on_the_way_is_told(person: Path, opened: Callable[..., Connection]) -> None:
    (person / ".ssh" / "config").write_text(
        "Host gone\n ProxyCommand echo No way to %h. >&2; exit 3\n"
        "Host silent\n ProxyCommand false\n"
        "Host büro\n HostName a..b\n"
    )
    with pytest.raises(HostUnreachableError, match=r"ended: No way to gone\. Mend"):
        opened("gone")
    with pytest.raises(HostUnreachableError, match="its ProxyCommand ended: it said nothing"):
        opened("silent")
    with pytest.raises(HostUnreachableError, match="cannot be reached: its name cannot be one"):
        opened("büro")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            taken, _ = listener.accept()
            with taken:
                taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(HostUnreachableError, match="does not speak SSH"):
            opened(f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("box", "box"),
        ("me@box:2222", "me@box:2222"),
        ("me@[::1]:22", "me@[::1]:22"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("me@büro", "me@büro"),
    ],
)
def test_targets(text: str, shown: str) -> None:
    assert str(parse_target(text)) == shown


@pytest.mark.parametrize(
    "text", ["", "@box", "a b@box", "box:", "box:0", "box:70000", "-oProxyCommand=x", "[::1", "x;y"]
)
def test_nonsense_is_no_target(text: str) -> None:
    with pytest.raises(HostError, match="Write user@address"):
        parse_target(text)
