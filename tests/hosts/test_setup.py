"""Environments made on a host by the real venv, pip and uv, from wheels that hold no code."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.agent.hosts.setup import requirements

from .servers import SshServer

Luthier = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.timeout(600)


def wheel(folder: Path, name: str, version: str) -> None:
    """A wheel of that name without anything in it."""
    escaped = re.sub(r"[-_.]+", "_", name)
    info = f"{escaped}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{info}/RECORD,,"]
    with zipfile.ZipFile(folder / f"{escaped}-{version}-py3-none-any.whl", "w") as packed:
        for path, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record.append(f"{path},sha256={digest.rstrip(b'=').decode()},{len(text)}")
            packed.writestr(path, text)
        packed.writestr(f"{info}/RECORD", "\n".join(record) + "\n")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that training needs, by name and version only."""
    folder = tmp_path_factory.mktemp("wheels")
    for requirement in requirements():
        found = re.match(r"([\w.-]+)\s*(?:[<>=~!]+\s*([\d.]+))?", requirement)
        assert found is not None
        wheel(folder, found[1], found[2] or "1.0")
    return folder


def add(luthier: Luthier, server: SshServer, folder: Path) -> None:
    """Let the agent know the host "box"."""
    arguments = ["host", "add", "box", server.target, "--folder", str(folder)]
    fingerprint = luthier(*arguments)[2].split("--accept ")[1].strip()
    assert luthier(*arguments, "--accept", fingerprint)[0] == 0


def found_by_check(luthier: Luthier) -> dict[str, str]:
    """What the preflight finds, by its name."""
    _, out, _ = luthier("host", "check", "box", "--json")
    return {line["name"]: line["found"] for line in json.loads(out)["checks"]}


def test_what_cannot_be_set_up_is_told(
    another: Callable[..., SshServer], luthier: Luthier, person: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    helper = os.path.realpath(sys.executable)
    # The name is on the search path, but the Python behind it cannot make environments.
    (tools / "python3.10").write_text(
        f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\nexec {helper} "$@"\n'
    )
    (tools / "python3.10").chmod(0o755)
    extra = f'ForceCommand PATH={tools}; export PATH; eval "$SSH_ORIGINAL_COMMAND"\n'
    server = another("bare", extra=extra)
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    add(luthier, server, tmp_path / "far")
    empty = tmp_path / "empty"
    empty.mkdir()
    code, _, errors = luthier("host", "setup", "box", "--wheels", str(empty))
    assert (code, "there are no wheels in it" in errors) == (2, True)
    assert f"pip wheel -w {empty} " in errors
    code, _, errors = luthier("host", "setup", "box")
    assert (code, "cannot make environments" in errors) == (2, True)
    assert "apt install python3-venv" in errors


@pytest.mark.slow
def test_offline_host_is_set_up_with_wheels_from_here(
    another: Callable[..., SshServer],
    luthier: Luthier,
    person: Path,
    wheels: Path,
    tmp_path: Path,
) -> None:
    # Whoever looks elsewhere for a package fails at once.
    nowhere = "SetEnv PIP_INDEX_URL=http://127.0.0.1:9/ UV_INDEX_URL=http://127.0.0.1:9/\n"
    server = another("offline", extra=nowhere)
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    add(luthier, server, tmp_path / "far")
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(next(wheels.glob("torch-*")), few)
    code, out, errors = luthier("host", "setup", "box", "--wheels", str(few))
    assert (code, "ended with code" in errors) == (2, True)
    assert luthier("host", "show", "box", "--json")[1].count('"python": ""') == 1
    # What half a set-up has left is no obstacle.
    code, out, errors = luthier("host", "setup", "box", "--wheels", str(wheels))
    assert (code, errors) == (0, "")
    python = tmp_path / "far" / "venv" / "bin" / "python"
    assert f"box trains with {python}" in out
    found = found_by_check(luthier)
    assert found["python"].endswith(f"in {python}")
    assert found["packages"] == "all that training needs"
    # That one has no code, as is told.
    assert found["torch"].startswith("ModuleNotFoundError")
    assert luthier("host", "remove", "box")[0] == 0
    assert not (tmp_path / "far").exists()


def tool_of(name: str) -> str:
    """Where a program is here."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize("tool", [pytest.param("pip", marks=pytest.mark.slow), "uv"])
def test_host_that_downloads(
    another: Callable[..., SshServer],
    person: Path,
    wheels: Path,
    tmp_path: Path,
    tool: str,
    request: pytest.FixtureRequest,
) -> None:
    program = tool_of(tool) if tool == "uv" else ""
    luthier: Luthier = request.getfixturevalue("luthier")
    tools = tmp_path / "tools"
    tools.mkdir()
    os.symlink(os.path.realpath(sys.executable), tools / "python3.12")
    if program:
        os.symlink(program, tools / "uv")
    # The index that downloads come from is a folder.
    own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "UV_NO_INDEX": "1", "UV_OFFLINE": "1"}
    own |= {"UV_FIND_LINKS": wheels, "UV_CACHE_DIR": tmp_path / "cache"}
    own |= {"PATH": f"{tools}:/usr/bin:/bin"}
    extra = "SetEnv " + " ".join(f"{name}={value}" for name, value in own.items()) + "\n"
    extra += f'ForceCommand PATH={own["PATH"]}; export PATH; eval "$SSH_ORIGINAL_COMMAND"\n'
    server = another("online", extra=extra)
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    add(luthier, server, tmp_path / "far")
    code, out, errors = luthier("host", "setup", "box")
    assert (code, errors) == (0, "")
    assert (f"$ {tools}/uv pip install" if program else "-m pip install") in out
    assert found_by_check(luthier)["packages"] == "all that training needs"
