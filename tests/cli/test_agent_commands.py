"""agent start, stop, status, logs, install and run."""

from __future__ import annotations

import configparser
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from luthier.agent.client import Client
from luthier.agent.paths import Home
from luthier.agent.starting import agent_answers

if TYPE_CHECKING:
    from .conftest import Luthier


def test_the_agent_is_started_looked_at_and_stopped(luthier: Luthier, agent: Path) -> None:
    assert luthier("agent", "start").code == 0
    status = luthier("agent", "status", "--json").json
    assert status["home"] == str(agent)
    shown = luthier("agent", "status").out
    assert f"pid {status['pid']}" in shown
    assert luthier("agent", "stop", "--json").json == {"was_running": True}
    assert luthier("agent", "stop", "--json").json == {"was_running": False}
    assert luthier("agent", "status").code == 3
    # The fixture wants one to end.
    assert luthier("agent", "start").code == 0


def test_the_agents_log_is_shown_from_its_end(luthier: Luthier, agent: Path) -> None:
    luthier("agent", "start")
    whole = luthier("agent", "logs").out.splitlines()
    assert any("listens on" in line for line in whole)
    assert luthier("agent", "logs", "--tail", "1").out.splitlines() == whole[-1:]
    assert luthier("agent", "logs", "--json").json["lines"] == whole


def test_no_log_is_told(luthier: Luthier, home: Path) -> None:
    refused = luthier("agent", "logs")
    assert refused.code == 2
    assert refused.errors == [f"{home / 'agent.log'}: there is no log yet. Start an agent first."]


def test_a_systemd_unit_is_written(
    luthier: Luthier, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    written = Path(luthier("agent", "install", "--json").json["path"])
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(written)
    assert written.is_relative_to(tmp_path / "config")
    assert "luthier.agent" in unit["Service"]["ExecStart"]
    assert str(home) in unit["Service"]["Environment"]


def test_in_the_foreground_it_serves_until_a_signal(home: Path) -> None:
    home.mkdir()
    code = "import sys; from luthier.agent.cli.main import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", code, "agent", "run", "--port", "0"])
    try:
        while not agent_answers(Home(home)):
            assert process.poll() is None
            time.sleep(0.05)
        with Client(Home(home), start=False) as client:
            status = client.status()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert status.pid == process.pid
    assert status.tcp_port
