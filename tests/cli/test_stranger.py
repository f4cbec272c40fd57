"""The command where things are not as they should be: streams, disks, signals, versions, widths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from luthier.agent.client import Client
from luthier.agent.errors import AgentError
from luthier.agent.models import AgentStatus
from luthier.agent.paths import Home
from luthier.agent.settings import load_settings
from luthier.trainers.errors import LuthierError

if TYPE_CHECKING:
    from .conftest import Luthier

_COMMAND = f"{sys.executable} -c 'import sys; from luthier.agent.cli.main import main; {{}}' "
_LUTHIER = _COMMAND.format("sys.exit(main())")


def _shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What bash makes of a script in which ``luthier`` is the command."""
    return subprocess.run(
        ["bash", "-c", f'luthier() {{ {_LUTHIER} "$@"; }}\n{script}'],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("script", "code", "error"),
    [
        # Nobody reads: no word, and the code that every shell gives to such an end.
        ("luthier tasks --json | :; exit ${PIPESTATUS[0]}", 141, ""),
        ("luthier --help | :; exit ${PIPESTATUS[0]}", 141, ""),
        ("luthier tasks >/dev/full", 2, "error: standard output: No space left on device.\n"),
        ("luthier tasks --json >&-", 0, ""),
        ("luthier nonsense 2>&-", 2, ""),
        ("luthier tasks <&- >/dev/null", 0, ""),
    ],
)
def test_streams_that_are_gone(home: Path, script: str, code: int, error: str) -> None:
    ended = _shell(script)
    assert (ended.returncode, ended.stderr) == (code, error)


def test_completion_ends_well(home: Path) -> None:
    words = {"COMP_WORDS": "luthier sho", "COMP_CWORD": "1"}
    ended = _shell("luthier", _LUTHIER_COMPLETE="complete_bash", **words)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "show\n", "")


def test_ctrl_c_while_it_starts_is_no_traceback(home: Path) -> None:
    # Typer is asked for before anything else is imported.
    code = (
        "import builtins, os, signal, sys; real = builtins.__import__\n"
        "def slow(name, *rest):\n"
        "    if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "from luthier.agent.cli.main import main; builtins.__import__ = slow\n"
        "sys.exit(main(['tasks']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_a_signal_to_the_command_ends_what_it_started(home: Path, tmp_path: Path) -> None:
    """Only the command is told, not its group as by a terminal."""
    code = (
        "import os, signal, sys; from luthier.agent.cli import subprocesses\n"
        "def told(line): print(line, flush=True); os.kill(os.getpid(), signal.SIGINT)\n"
        "subprocesses.run_module('patient', [], told)"
    )
    (tmp_path / "patient.py").write_text(
        "import os, time; print(os.getpid(), flush=True); time.sleep(600)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGINT
    with pytest.raises(ProcessLookupError):
        os.kill(int(ended.stdout), 0)


@pytest.mark.parametrize(
    ("lay", "said"),
    [
        (lambda path: path.write_text(""), "cannot be started: File exists."),
        (lambda path: path.symlink_to("/proc/1/nothing"), "cannot be started: "),
    ],
)
def test_a_home_that_cannot_be_one(
    luthier: Luthier, home: Path, lay: Callable[[Path], object], said: str
) -> None:
    lay(home)
    refused = luthier("runs")
    assert refused.code == 3
    (error,) = refused.errors
    assert said in error
    assert "LUTHIER_HOME" in error


def test_a_name_may_have_spaces_quotes_and_letters_of_any_language(
    luthier: Luthier, submit: Callable[..., str]
) -> None:
    run = submit("short")
    name = "größe 1 – 'a'"
    again = luthier("run", "spec.yaml", "--name", name, "--wait")
    assert again.code == 0
    assert luthier("show", name, "--json").json["name"] == name
    assert luthier("logs", name).out
    assert luthier("show", run, "--json").json["name"] == "short"


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_tables_fit_and_keep_their_names(
    busy: Luthier, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    (run,) = (run for run in busy("runs", "--json").json if run["name"] == "short")
    for command, parts in (
        (["runs"], [run["id"], "short", "endless", "running"]),
        (["metrics", "short"], ["loss", "metric", "last"]),
        (["hardware"], ["cpu", "device"]),
    ):
        shown = busy(*command).out
        assert all(part in shown for part in parts), shown
        assert max(map(len, shown.splitlines())) <= int(columns)
        assert "\x1b" not in shown


def test_an_agent_of_another_version_is_named(busy_home: Path) -> None:
    class Newer(AgentStatus):
        not_there_yet: int

    class Older(BaseModel, extra="forbid"):
        version: str

    with Client(Home(busy_home), start=False) as client:
        for model in (Newer, Older):
            with pytest.raises(AgentError, match="of another version than this command") as found:
                client._connection.get("/v1/status", model)
            assert "luthier agent stop" in str(found.value)
            assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [\n", "settings.yaml:2: not valid YAML: expected the node content"),
        (b"just text\n", "settings.yaml: must have lines of the form key: value"),
        (b"\xff\xfe", "settings.yaml: not UTF-8 text"),
        (b"cpu_slots: zero\n", "settings.yaml: cpu_slots: Input should be a valid integer"),
        (b"cpu_slot: 2\n", "cpu_slot: Extra inputs are not permitted. Did you mean cpu_slots?"),
    ],
)
def test_settings_that_are_wrong_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "settings.yaml").write_bytes(content)
    with pytest.raises(LuthierError) as refused:
        load_settings(tmp_path / "settings.yaml")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
