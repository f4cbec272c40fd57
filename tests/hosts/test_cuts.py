"""Whatever happens to the link, nothing is lost, nothing comes twice, and nothing is left over."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.processes import marked_processes
from luthier.agent.states import RunState

from .cables import Cable
from .conftest import Far

ON_FAR = {"host": "far"}
_MIB = 1 << 20
# After so long without a word a link counts as dead.
_LINK_SECONDS = 12
pytestmark = pytest.mark.timeout(600)
_SECONDS = [
    pytest.param(5, id="5s"),
    pytest.param(30, id="30s", marks=pytest.mark.slow),
    pytest.param(90, id="90s", marks=pytest.mark.slow),
]
cuts = pytest.mark.parametrize("seconds", _SECONDS)


def whole(far: Far, run: str, steps: int | None = None) -> None:
    """Every metric is stored once, every byte is here, and no process is left."""
    agent = far.agent
    stored = agent.stored_steps(run)
    assert stored == list(range(1, (len(stored) if steps is None else steps) + 1))
    here, there = agent.home.run(run), far.attempt(run).path.parent
    for name in ("events.jsonl", "output.log"):
        assert (here.attempt(1).path / name).read_bytes() == (
            there / "attempt-1" / name
        ).read_bytes()
    for path in (there / "artifacts" / "adapter").glob("*"):
        assert digest(here.adapter / path.name) == digest(path)
    assert marked_processes(f"{run}/1") == []


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pulled(cable: Cable, seconds: float) -> None:
    """Pull the cable out for so long."""
    cable.cut()
    time.sleep(seconds)
    cable.mend()


@cuts
def test_cut_while_it_runs(
    distant: Far, cable: Cable, workshop: Any, wait: Callable[..., Any], seconds: int
) -> None:
    agent = distant.agent
    steps = (seconds + 2) * 20
    run = agent.client.submit(workshop.spec({"steps": steps, "pace": 0.05}, launch=ON_FAR))
    agent.reached(run.id, 5)
    cable.cut()
    if seconds >= 30:
        gone = wait(lambda: agent.client.run(run.id), lambda found: found.unreachable_since)
        assert gone.state is RunState.RUNNING
        assert "Host far is unreachable since" in gone.reason
        assert agent.client.hosts.get("far").unreachable_since is not None
        time.sleep(max(0, seconds - 12))
    else:
        time.sleep(seconds)
    cable.mend()
    done = agent.ended(run.id, seconds=seconds + 120)
    assert (done.state, done.reason, done.unreachable_since) == (RunState.SUCCEEDED, "", None)
    whole(distant, run.id, steps)


@pytest.mark.slow
@cuts
def test_cut_during_launch(
    distant: Far,
    cable: Cable,
    workshop: Any,
    tmp_path: Path,
    wait: Callable[..., Any],
    seconds: int,
) -> None:
    agent = distant.agent
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(random.Random(seconds).randbytes(200 * _MIB))
    spec = workshop.spec({"steps": 5}, launch=ON_FAR, model={"name_or_path": str(model)})
    run = agent.client.submit(spec)
    wait(lambda: [path for path in distant.folder.rglob("*.part") if path.stat().st_size > _MIB])
    pulled(cable, seconds)
    done = agent.ended(run.id, seconds=seconds + 120)
    assert (done.state, len(done.attempts)) == (RunState.SUCCEEDED, 1)
    whole(distant, run.id, 5)
    (sent,) = (distant.folder / "trees").glob("*/model.safetensors")
    assert digest(sent) == digest(model / "model.safetensors")
    assert not list(distant.folder.rglob("*.part"))
    # What was there before the cut has not been sent again.
    assert cable.sent() < 1.5 * 200 * _MIB


@pytest.mark.slow
@cuts
def test_cut_while_it_is_stopped(
    distant: Far, cable: Cable, workshop: Any, wait: Callable[..., Any], seconds: int
) -> None:
    agent = distant.agent
    run = agent.client.submit(workshop.spec({"steps": 100_000}, launch=ON_FAR))
    agent.reached(run.id, 5)
    cable.cut()
    # The wish is taken soon, and does its work when it can.
    began = time.monotonic()
    assert agent.client.stop(run.id).state is RunState.STOPPING
    assert time.monotonic() - began < _LINK_SECONDS
    time.sleep(seconds)
    assert not agent.client.run(run.id).state.finished
    cable.mend()
    stopped = agent.ended(run.id, seconds=seconds + 120)
    assert (stopped.state, stopped.attempts[0].stopped_by) == (RunState.STOPPED, "ask")
    whole(distant, run.id)


@pytest.mark.slow
@cuts
def test_cut_while_the_result_is_fetched(
    distant: Far, cable: Cable, workshop: Any, wait: Callable[..., Any], seconds: int
) -> None:
    agent = distant.agent
    run = agent.client.submit(workshop.spec({"steps": 3, "weights": 200 * _MIB}, launch=ON_FAR))
    home = agent.home.run(run.id).path
    wait(lambda: [path for path in home.rglob("*.part") if path.stat().st_size > _MIB])
    pulled(cable, seconds)
    done = agent.ended(run.id, seconds=seconds + 120)
    assert done.state is RunState.SUCCEEDED
    whole(distant, run.id, 3)
    assert not list(home.rglob("*.part"))


def test_sshd_killed_and_started_again(far: Far, workshop: Any, wait: Callable[..., Any]) -> None:
    agent = far.agent
    run = agent.client.submit(workshop.spec({"steps": 60, "pace": 0.05}, launch=ON_FAR))
    agent.reached(run.id, 5)
    far.server.kill()
    # It goes on meanwhile.
    size = far.attempt(run.id).events.stat().st_size
    wait(lambda: far.attempt(run.id).events.stat().st_size > size + 1000)
    far.server.start()
    done = agent.ended(run.id)
    assert (done.state, len(done.attempts)) == (RunState.SUCCEEDED, 1)
    whole(far, run.id, 60)


def test_laptop_asleep_until_the_run_has_ended(
    far: Far, workshop: Any, wait: Callable[..., Any]
) -> None:
    agent = far.agent
    run = agent.client.submit(workshop.spec({"steps": 60, "pace": 0.05}, launch=ON_FAR))
    agent.reached(run.id, 5)
    os.kill(agent.process.pid, signal.SIGSTOP)
    # By the next day every connection has been given up.
    far.server.kill()
    wait(far.attempt(run.id).exit.exists)
    far.server.start()
    os.kill(agent.process.pid, signal.SIGCONT)
    done = agent.ended(run.id)
    assert (done.state, len(done.attempts)) == (RunState.SUCCEEDED, 1)
    whole(far, run.id, 60)


@pytest.mark.slow
def test_laptop_asleep_until_the_host_has_given_it_up(
    far: Far, workshop: Any, wait: Callable[..., Any]
) -> None:
    agent, gate = far.agent, workshop.file("go")
    run = agent.client.submit(
        workshop.spec({"steps": 60, "hold": {"30": str(gate)}}, launch=ON_FAR)
    )
    agent.reached(run.id, 5)
    os.kill(agent.process.pid, signal.SIGSTOP)
    # Its connection is there, but nobody says a word; the far end leaves by itself.
    wait(lambda: far_ends(far), lambda pids: not pids, 120)
    gate.touch()
    os.kill(agent.process.pid, signal.SIGCONT)
    done = agent.ended(run.id)
    assert (done.state, len(done.attempts)) == (RunState.SUCCEEDED, 1)
    whole(far, run.id, 60)


@pytest.mark.slow
def test_agent_killed_while_the_link_is_down(
    distant: Far, cable: Cable, workshop: Any, wait: Callable[..., Any]
) -> None:
    agent, moments = distant.agent, random.Random(7)
    behaviour = {"steps": 500, "pace": 0.05, "metrics_per_step": 2}
    run = agent.client.submit(workshop.spec(behaviour, launch=ON_FAR))
    agent.reached(run.id, 5)
    for _ in range(4):
        cable.cut()
        time.sleep(moments.uniform(0, 1))
        agent.kill()
        agent.start()
        time.sleep(moments.uniform(0, 2))
        assert agent.client.run(run.id).state is RunState.RUNNING
        cable.mend()
        time.sleep(moments.uniform(0, 2))
        agent.kill()
        agent.start()
    done = agent.ended(run.id, seconds=120)
    assert (done.state, len(done.attempts)) == (RunState.SUCCEEDED, 1)
    whole(distant, run.id, 500)
    assert agent.stored_steps(run.id, "loss1") == list(range(1, 501))


@pytest.mark.slow
def test_nothing_of_the_channel_is_left_on_the_host(
    distant: Far, cable: Cable, workshop: Any, wait: Callable[..., Any]
) -> None:
    agent = distant.agent
    run = agent.client.submit(workshop.spec({"steps": 5}, launch=ON_FAR))
    agent.ended(run.id)
    cable.cut()
    agent.kill()
    server = distant.server.process
    assert server is not None
    # The far end leaves by itself, although nobody can tell it anything.
    wait(lambda: far_ends(distant), lambda pids: not pids, 120)
    cable.mend()
    agent.start()


def far_ends(far: Far) -> list[int]:
    """The processes that our channels have started there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
            inside = str(far.folder).encode() in (path.parent / "environ").read_bytes()
        except OSError:
            continue
        if b"r.readline" in command and (inside or _below(int(path.parent.name), far)):
            found.append(int(path.parent.name))
    return found


def _below(pid: int, far: Far) -> bool:
    sessions = far.server.pids()
    while pid > 1:
        if pid in sessions:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False
