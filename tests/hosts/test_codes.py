"""Logins that ask for more than a password: codes that count once."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from luthier.agent.errors import RefusedError
from luthier.agent.hosts.connect import connect
from luthier.agent.hosts.errors import DecisionNeededError, HostError
from luthier.agent.hosts.host_keys import KnownHosts
from luthier.agent.hosts.secrets import Secrets
from luthier.agent.hosts.target import parse_target
from luthier.agent.states import RunState

from .conftest import Far, a_guest, an_agent
from .servers import SshServer, asking_server

_PAM = """\
auth required pam_unix.so
auth required {module} {code}
account required pam_permit.so
session required pam_permit.so
"""


class _Asking(paramiko.ServerInterface):
    """Asks two questions at once, then another one, which shows what is typed."""

    def __init__(self) -> None:
        self.heard: list[list[str]] = []

    def get_allowed_auths(self, username: str) -> str:
        return "keyboard-interactive"

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        self.heard = []
        first = ("\x1b[31mPassword: ", False), ("Token code: ", False)
        return paramiko.InteractiveQuery("Two factors", "Mind the clock.", *first)

    def check_auth_interactive_response(self, responses: list[str]) -> Any:
        self.heard.append(responses)
        if len(self.heard) == 1:
            return paramiko.InteractiveQuery("", "", ("Your favourite colour? ", True))
        right = [["open sesame", "123456"], ["blue"]]
        return paramiko.AUTH_SUCCESSFUL if self.heard == right else paramiko.AUTH_FAILED


@pytest.fixture
def asking(person: Path) -> Iterator[str]:
    """The account of a server that asks three questions."""
    with asking_server(person, _Asking) as account:
        yield account


def log_in(account: str, own: Path, answers: list[str]) -> list[DecisionNeededError]:
    """Log in with those answers; what was asked."""
    asked: list[DecisionNeededError] = []
    given = iter(answers)

    def answer(question: DecisionNeededError) -> str:
        asked.append(question)
        return next(given)

    accepted: set[str] = set()
    while True:
        known = KnownHosts(own, accepted)
        try:
            connect(parse_target(account), known, Secrets(), answer).close()
        except DecisionNeededError as error:
            accepted.add(error.fingerprint)
        else:
            return asked


def test_every_question_is_asked_in_the_words_of_the_server(asking: str, tmp_path: Path) -> None:
    asked = log_in(asking, tmp_path / "known", ["open sesame", "123456", "blue"])
    assert [(each.kind, each.prompt, each.shown) for each in asked] == [
        ("password", "[31mPassword:", False),
        ("answer", "Token code:", False),
        ("answer", "Your favourite colour?", True),
    ]
    assert "Two factors Mind the clock." in str(asked[0])
    assert all("\x1b" not in str(each) + each.prompt for each in asked)


def test_wrong_answers_are_told_and_asked_again(asking: str, tmp_path: Path) -> None:
    wrong, right = ["open sesame", "654321", "blue"], ["open sesame", "123456", "blue"]
    asked = log_in(asking, tmp_path / "known", [*wrong, *right])
    assert len(asked) == 6
    assert "refuses that" in str(asked[3])
    assert "654321" not in "".join(map(str, asked))
    with pytest.raises(HostError, match="refuses what it was answered"):
        log_in(asking, tmp_path / "known", wrong * 3)


@pytest.fixture
def with_code(tmp_path: Path, person: Path) -> Iterator[tuple[Far, Path]]:
    """A host whose sshd asks, through PAM, for a password and a code; where the next code lies."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for a PAM module")
    module, code = tmp_path / "pam_code.so", tmp_path / "code"
    source = Path(__file__).with_name("pam_code.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", module, source], check=True)
    pam = tmp_path / "pam"
    pam.write_text(_PAM.format(module=module, code=code))
    prefix = a_guest(tmp_path, f"mount --bind {pam} /etc/pam.d/sshd")
    extra = "UsePAM yes\nKbdInteractiveAuthentication yes\nPermitRootLogin yes\n"
    server = SshServer(tmp_path / "sshd", extra=extra + "PubkeyAuthentication no\n", prefix=prefix)
    server.start()
    try:
        with an_agent(tmp_path, server, {"target": f"guest@{server.target}"}) as far:
            yield far, code
    finally:
        server.kill()


def test_a_host_that_asks_for_a_code(
    with_code: tuple[Far, Path],
    luthier: Callable[..., Any],
    workshop: Any,
    wait: Any,
    monkeypatch: Any,
) -> None:
    (far, code), gate = with_code, workshop.file("go")
    client = far.agent.client
    account = f"guest@{far.server.target}"
    first = client.hosts.connect("far").need
    assert (first.kind, first.prompt) == ("password", "Password:")
    second = client.hosts.connect("far", secrets={"password": {account: "open sesame"}}).need
    assert (second.kind, second.prompt) == ("answer", "Verification code:")
    code.write_text("271828")
    assert client.hosts.connect("far", secrets={"answer": {account: "271828"}}).need is None
    run = client.submit(
        workshop.spec({"steps": 10, "hold": {"5": str(gate)}}, launch={"host": "far"})
    )
    far.agent.reached(run.id, 4)
    far.server.kill()
    far.server.start()
    waiting = wait(lambda: client.run(run.id), lambda found: "waits for you" in found.reason)
    assert waiting.state is RunState.RUNNING
    assert waiting.unreachable_since is not None
    assert "far waits for you" in client.hosts.get("far").trouble
    tried = (far.server.folder / "log").read_text().count("guest")
    # A stop and the like wake the link, which does not make the server ask again.
    with pytest.raises(RefusedError, match="luthier host check far"):
        client.hosts.check("far")
    assert (far.server.folder / "log").read_text().count("guest") == tried
    gate.touch()
    code.write_text("314159")
    asked: list[str] = []

    def prompt(text: str, hide_input: bool) -> str:
        asked.append(text)
        return "314159"

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    luthier("host", "check", "far")
    assert asked == ["Verification code"]
    done = far.agent.ended(run.id)
    assert (done.state, done.unreachable_since) == (RunState.SUCCEEDED, None)
    assert far.agent.stored_steps(run.id) == list(range(1, 11))
    for path in (*far.agent.home.path.rglob("*"), *far.folder.rglob("*")):
        if path.is_file():
            assert not any(s in path.read_bytes() for s in (b"open sesame", b"271828", b"314159"))
