"""The host commands, as a person calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .servers import SshServer

Luthier = Callable[..., tuple[int, str, str]]


def test_a_host_from_beginning_to_end(
    sshd: SshServer, luthier: Luthier, tmp_path: Path, person: Path
) -> None:
    add = ["host", "add", "box", sshd.target, "--folder", str(tmp_path / "far")]
    code, _, errors = luthier(*add)
    assert code == 2
    assert "is unknown; its host key is" in errors
    fingerprint = errors.split("--accept ")[1].strip()
    code, out, _ = luthier(*add, "--accept", fingerprint)
    assert (code, "luthier host setup box" in out) == (0, True)
    code, out, _ = luthier("host", "list", "--json")
    assert [(host["name"], host["connected"]) for host in json.loads(out)] == [
        ("local", True),
        ("box", True),
    ]
    code, out, _ = luthier("host", "check", "box")
    assert (code, "none to train with yet" in out) == (1, True)
    code, _, errors = luthier("host", "setup", "box", "--python", "/bin/true")
    assert (code, "cannot be used" in errors) == (2, True)
    code, out, _ = luthier("host", "setup", "box", "--python", sys.executable)
    assert (code, f"box trains with {sys.executable}" in out) == (0, True)
    code, out, _ = luthier("host", "show", "box", "--json")
    assert json.loads(out)["hardware"]["host"] == "box"
    assert luthier("host", "show", "box")[0] == luthier("host", "list")[0] == 0
    code, _, errors = luthier("host", "check", "nobody")
    assert (code, "There is no host 'nobody'" in errors) == (2, True)
    assert luthier("host", "remove", "box")[0] == 0
    assert not (tmp_path / "far").exists()


def test_names_and_addresses_are_checked(luthier: Luthier) -> None:
    for arguments, sentence in (
        (["add", "local", "box"], "name of the agent's own host"),
        (["add", "a b", "box"], "cannot be a host's name"),
        (["add", "box", "me@"], "is no address"),
        (["add", "box", "box", "--folder", "here"], "cannot be the folder"),
        (["add", "", "box"], "name cannot be empty"),
        (["add", "box", "box", "--price", "1", "--currency", ""], "--currency is empty"),
        (["setup", "box", "--python", "/x", "--wheels", "/tmp"], "one of the two"),
        (["remove", "box"], "There is no host 'box'"),
        (["check", "local"], "local is this machine"),
    ):
        code, _, errors = luthier("host", *arguments)
        assert (code, sentence in errors) == (2, True), errors


def test_shell_is_ssh_itself(
    sshd: SshServer, luthier: Luthier, tmp_path: Path, person: Path
) -> None:
    add = ["host", "add", "box", f"root@{sshd.target}", "--folder", str(tmp_path / "far")]
    fingerprint = luthier(*add)[2].split("--accept ")[1].strip()
    luthier(*add, "--accept", fingerprint)
    command = "import sys; from luthier.agent.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", command, "host", "shell", "box"],
        input="echo from $((40 + 2))\n",
        capture_output=True,
        text=True,
        env={**os.environ},
        timeout=120,
    )
    assert (done.returncode, "from 42" in done.stdout) == (0, True), done.stderr


def test_a_passphrase_is_asked_once_and_not_kept(
    sshd: SshServer, luthier: Luthier, tmp_path: Path, person: Path, monkeypatch: Any
) -> None:
    key = person / ".ssh" / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", key], check=True)
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", sshd.folder / "host_key.pub"], capture_output=True, text=True
    ).stdout.split()[1]
    add = ["host", "add", "box", sshd.target, "--folder", str(tmp_path / "far")]
    code, _, errors = luthier(*add, "--accept", fingerprint)
    assert (code, f"{key} is encrypted" in errors) == (2, True)
    asked: list[str] = []

    def prompt(text: str, hide_input: bool) -> str:
        asked.append(text)
        assert hide_input
        return "open sesame"

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert luthier(*add)[0] == 0
    assert asked == [f"Passphrase for {key}"]
    sshd.kill()
    sshd.start()
    assert luthier("host", "check", "box")[0] == 1
    assert len(asked) == 1
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            assert b"open sesame" not in path.read_bytes()
