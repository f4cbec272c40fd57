"""The agent's process: its socket, its lock, its start on demand, its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from luthier.agent.client import Client
from luthier.agent.errors import UnavailableError
from luthier.agent.paths import Home
from luthier.agent.starting import agent_answers
from luthier.agent.systemd import unit_text

if TYPE_CHECKING:
    from .conftest import RealAgent, Workshop


@pytest.fixture
def started_on_demand(real_agent: RealAgent) -> Iterator[RealAgent]:
    """A home whose agent a client starts; it is ended by its pid."""
    yield real_agent
    if agent_answers(real_agent.home):
        with Client(real_agent.home, start=False) as client:
            os.kill(client.status().pid, signal.SIGKILL)


def test_socket_and_home_are_the_owners_alone(real_agent: RealAgent, client: Client) -> None:
    assert client.status().home == str(real_agent.home.path)
    mode = stat.S_IMODE(real_agent.home.socket.stat().st_mode)
    assert mode == 0o600
    assert stat.S_IMODE(real_agent.home.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(real_agent.home.log.stat().st_mode) == 0o600


def test_other_users_are_refused_even_where_the_file_lets_them_in() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    folder = Path(tempfile.mkdtemp(prefix="luthier-peer-"))
    home = Home(folder / "home")
    home.create()
    environment = {**os.environ, "LUTHIER_HOME": str(home.path)}
    agent = subprocess.Popen([sys.executable, "-m", "luthier.agent"], env=environment)
    try:
        with Client(home, start=False) as client:
            _until_it_answers(client)
        for path in (folder, home.path):
            path.chmod(0o755)
        home.socket.chmod(0o666)
        ask = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
            r"s.sendall(b'GET /v1/status HTTP/1.1\r\nHost: luthier\r\n\r\n');"
            "print(s.makefile().read())"
        )
        answer = subprocess.run(
            ["/usr/bin/env", "python3", "-c", ask, str(home.socket)],
            user=65534,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert "403 Forbidden" in answer.stdout, answer.stderr
        assert "answers only the user who owns it" in answer.stdout
        assert str(home.path) not in answer.stdout
    finally:
        agent.kill()
        agent.wait()
        shutil.rmtree(folder)


def _until_it_answers(client: Client) -> None:
    deadline = threading.Event()
    for _ in range(600):
        try:
            client.status()
            return
        except UnavailableError:
            deadline.wait(0.05)
    raise AssertionError("the agent does not answer")


def test_stale_socket_file_is_replaced(real_agent: RealAgent) -> None:
    real_agent.start()
    real_agent.kill()
    assert real_agent.home.socket.exists()
    assert real_agent.start().status().pid == real_agent.process.pid


def test_home_that_is_too_deep_gets_a_socket_elsewhere(
    real_agent: RealAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = type(real_agent)(Home(tmp_path / ("deep" * 30)))
    deep.write_settings()
    try:
        assert deep.start().status().home == str(deep.home.path)
        assert deep.home.socket.is_relative_to(runtime)
        assert stat.S_IMODE(deep.home.socket.parent.stat().st_mode) == 0o700
    finally:
        deep.end_everything()


def test_socket_of_somebody_else_is_not_talked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    home = Home(tmp_path / ("deep" * 30))
    home.socket.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home.socket))
        listener.listen()
        os.chown(home.socket, 65534, 65534)
        with (
            Client(home) as client,
            pytest.raises(UnavailableError, match="belongs to another user"),
        ):
            client.status()


def test_two_agents_for_one_home_are_impossible(real_agent: RealAgent, client: Client) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "luthier.agent"],
        env={**os.environ, "LUTHIER_HOME": str(real_agent.home.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 4
    assert f"is running already (process {real_agent.process.pid})" in second.stderr
    assert client.status().pid == real_agent.process.pid


def test_many_clients_at_once_start_one_agent(started_on_demand: RealAgent) -> None:
    home = started_on_demand.home
    pids: list[int] = []

    def ask() -> None:
        with Client(home) as client:
            pids.append(client.status().pid)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(pids) == 12
    assert len(set(pids)) == 1
    process = psutil.Process(pids[0])
    assert process.cwd() == str(home.path)
    assert {os.readlink(f"/proc/{pids[0]}/fd/{number}") for number in (0, 1)} == {"/dev/null"}
    assert os.getsid(pids[0]) == pids[0]


def test_client_that_may_not_start_one_says_how(tmp_path: Path) -> None:
    with (
        Client(Home(tmp_path / "none"), start=False) as client,
        pytest.raises(UnavailableError, match="luthier agent start") as refused,
    ):
        client.status()
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("cpu_slot: 2\n", "settings.yaml: cpu_slot: .*Did you mean cpu_slots"),
        ("cpu_slots: [", "settings.yaml:1: not valid YAML"),
    ],
)
def test_agent_that_cannot_start_says_why(
    started_on_demand: RealAgent, settings: str, sentence: str
) -> None:
    started_on_demand.home.settings.write_text(settings)
    with (
        Client(started_on_demand.home) as client,
        pytest.raises(UnavailableError, match=sentence),
    ):
        client.status()


def test_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        Client(Home(tmp_path / "file" / "home")) as client,
        pytest.raises(UnavailableError, match="cannot be started: Not a directory"),
    ):
        client.status()


def test_agent_ends_with_its_home(real_agent: RealAgent, client: Client) -> None:
    assert client.status().problems == []
    shutil.rmtree(real_agent.home.path)
    assert real_agent.process is not None
    assert real_agent.process.wait(timeout=30) == 0


def test_shutdown_by_a_client_frees_the_home(
    started_on_demand: RealAgent, wait: Callable[..., Any]
) -> None:
    with Client(started_on_demand.home) as client:
        first = client.status().pid
        client.shutdown()
        wait(lambda: not started_on_demand.home.socket.exists())
        assert client.status().pid != first


def test_secrets_reach_the_worker_but_no_file(
    real_agent: RealAgent, workshop: Workshop, tmp_path: Path
) -> None:
    secret = "hf_aVerySecretToken"
    command = ["sh", "-c", f'printf %s "$HF_TOKEN" > {tmp_path}/seen; exit 7', "worker"]
    real_agent.write_settings(worker_command=command)
    client = real_agent.start(HF_TOKEN=secret)
    run = client.submit(workshop.spec())
    assert real_agent.ended(run.id).attempts[0].exit_code == 7
    assert (tmp_path / "seen").read_text() == secret
    found = [
        path
        for path in real_agent.home.path.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert found == []


def test_offline_and_devices_reach_the_worker(
    real_agent: RealAgent, workshop: Workshop, tmp_path: Path
) -> None:
    command = ["sh", "-c", f"env > {tmp_path}/seen", "worker"]
    real_agent.write_settings(worker_command=command, offline=True)
    client = real_agent.start()
    run = client.submit(workshop.spec(launch={"threads": 3}))
    real_agent.ended(run.id)
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines())
    assert seen["HF_HUB_OFFLINE"] == "1"
    assert (seen["LUTHIER_DEVICE"], seen["CUDA_VISIBLE_DEVICES"]) == ("cpu", "")
    assert seen["OMP_NUM_THREADS"] == "3"
    assert seen["LUTHIER_ATTEMPT"] == f"{run.id}/1"


def test_curl_can_read_the_api(real_agent: RealAgent, client: Client) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl here")
    answer = subprocess.run(
        [curl, "-s", "--unix-socket", str(real_agent.home.socket), "http://luthier/v1/runs"],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert json.loads(answer.stdout) == []


def test_nobody_blocks_the_agent_by_saying_nothing(real_agent: RealAgent, client: Client) -> None:
    silent = []
    for _ in range(50):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(real_agent.home.socket))
        connection.sendall(b"GET /v1/ev")
        silent.append(connection)
    assert client.status().problems == []
    for connection in silent:
        connection.close()


def test_unit_quotes_paths_and_leaves_runs_alone() -> None:
    text = unit_text(Home(Path('/srv/a b/100%/"q"')))
    assert 'Environment="LUTHIER_HOME=/srv/a b/100%%/\\"q\\""' in text
    assert "KillMode=process" in text
