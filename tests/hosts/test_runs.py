"""Runs on another host, with a real agent, a real sshd and the stand-in worker."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.errors import RefusedError
from luthier.agent.processes import marked_processes
from luthier.agent.states import RunState

from .conftest import Far, a_person, a_server, an_agent
from .servers import SshServer

ON_FAR = {"host": "far"}
TOKEN = "hf_thisMustNotBeFoundAnywhere"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Far, Path]]:
    """One host and agent for all tests here, and the person whose agent it is."""
    folder = tmp_path_factory.mktemp("shared")
    with (
        a_person(folder / "person") as person,
        a_server(folder / "sshd", person) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HF_TOKEN", TOKEN)
        with an_agent(folder, server, cpu_slots=1) as far:
            patch.delenv("HF_TOKEN")
            yield far, person


@pytest.fixture
def far(shared: tuple[Far, Path]) -> Far:
    """The host."""
    return shared[0]


@pytest.fixture
def real_agent(far: Far) -> Any:
    """Its agent."""
    return far.agent


def same_bytes(far: Far, run: str, number: int = 1) -> None:
    """What is here is what is there."""
    here, there = far.agent.home.run(run).attempt(number), far.attempt(run, number)
    for name in ("events.jsonl", "output.log", "exit.json"):
        one, other = (folder.path / name for folder in (here, there))
        if name == "exit.json":
            assert one.exists()
            continue
        assert one.read_bytes() == other.read_bytes(), name


def test_a_run_there_is_as_one_here(far: Far, real_agent: Any, workshop: Any) -> None:
    client = real_agent.client
    run = client.submit(workshop.spec({"steps": 30, "metrics_per_step": 2}, launch=ON_FAR))
    done = real_agent.ended(run.id)
    assert (done.state, done.reason) == (RunState.SUCCEEDED, "")
    assert done.progress.step == 30
    assert done.attempts[0].devices == ["cpu"]
    for name in ("loss", "loss1"):
        assert real_agent.stored_steps(run.id, name) == list(range(1, 31))
    same_bytes(far, run.id)
    assert (real_agent.home.run(run.id).adapter / "adapter_config.json").read_text() == "{}"
    # Checkpoints stay where they are resumed from.
    assert far.attempt(run.id).path.parent.joinpath("artifacts/checkpoints").is_dir()
    assert not real_agent.home.run(run.id).checkpoints.exists()
    assert marked_processes(f"{run.id}/1") == []
    assert client.status().problems == []


def test_the_data_travels_by_content(far: Far, real_agent: Any, workshop: Any) -> None:
    spec = workshop.spec({"steps": 1}, launch=ON_FAR)
    run = real_agent.client.submit(spec)
    real_agent.ended(run.id)
    there = (far.folder / "runs" / run.id / "spec.yaml").read_text()
    assert spec["data"]["path"] not in there
    assert str(far.folder / "trees") in there
    blobs = {path: path.stat().st_ino for path in (far.folder / "blobs").rglob("*")}
    again = real_agent.client.submit(spec)
    assert real_agent.ended(again.id).state is RunState.SUCCEEDED
    assert {path: path.stat().st_ino for path in (far.folder / "blobs").rglob("*")} == blobs


@pytest.mark.parametrize("now", [False, True])
def test_stop_and_resume(far: Far, real_agent: Any, workshop: Any, now: bool) -> None:
    client = real_agent.client
    behaviour = {"steps": 100_000, "checkpoint_every": 5, "child": True}
    run = client.submit(workshop.spec(behaviour, launch=ON_FAR))
    real_agent.reached(run.id, 12)
    # The worker, and a child in a session of its own.
    assert len(marked_processes(f"{run.id}/1")) >= 2
    client.stop(run.id, now=now)
    stopped = real_agent.ended(run.id)
    assert stopped.state is RunState.STOPPED
    assert stopped.attempts[0].stopped_by == ("terminate" if now else "ask")
    assert marked_processes(f"{run.id}/1") == []
    same_bytes(far, run.id)
    steps = real_agent.stored_steps(run.id)
    assert steps == list(range(1, len(steps) + 1))
    last = steps[-1] + 20
    client.resume(run.id, overrides=[f"training.max_steps={last}"])
    done = real_agent.ended(run.id)
    assert (done.state, done.progress.step, len(done.attempts)) == (RunState.SUCCEEDED, last, 2)
    same_bytes(far, run.id, 2)


def test_a_failure_there_is_told_here(far: Far, real_agent: Any, workshop: Any) -> None:
    client = real_agent.client
    run = client.submit(workshop.spec({"crash": {"3": "error"}}, launch=ON_FAR))
    failed = real_agent.ended(run.id)
    assert (failed.state, failed.reason) == (RunState.FAILED, "The rows are wrong.")
    killed = client.submit(workshop.spec({"crash": {"2": "SIGKILL"}}, launch=ON_FAR))
    assert "signal 9" in real_agent.ended(killed.id).reason


def test_supervisor_killed_there_is_lost_and_tried_again(
    far: Far, real_agent: Any, workshop: Any
) -> None:
    client = real_agent.client
    spec = workshop.spec({"steps": 30, "pace": 0.05}, launch={**ON_FAR, "retries": 1})
    run = client.submit(spec)
    real_agent.reached(run.id, 7)
    os.kill(real_agent.supervisor(run.id).pid, 9)
    done = real_agent.ended(run.id)
    assert (done.state, len(done.attempts), done.progress.step) == (RunState.SUCCEEDED, 2, 30)
    assert marked_processes(f"{run.id}/1") == []


def test_unknown_host_and_host_without_python(real_agent: Any, workshop: Any, far: Far) -> None:
    client = real_agent.client
    with pytest.raises(RefusedError, match="there is no host 'moon'; known: local, far"):
        client.submit(workshop.spec(launch={"host": "moon"}))
    client.hosts.add("bare", far.server.target, folder=str(far.folder) + "-bare")
    run = client.submit(workshop.spec(launch={"host": "bare"}))
    failed = real_agent.ended(run.id)
    assert failed.state is RunState.FAILED
    assert "luthier host setup bare" in failed.hint or "luthier host setup bare" in failed.reason


def test_the_token_goes_only_where_the_spec_sends_it(
    far: Far, real_agent: Any, workshop: Any
) -> None:
    client, gate = real_agent.client, workshop.file("go")
    for sent in (True, False):
        launch = {**ON_FAR, "send_hub_token": sent}
        run = client.submit(workshop.spec({"steps": 3, "hold": {"2": str(gate)}}, launch=launch))
        real_agent.reached(run.id, 2)
        processes = marked_processes(f"{run.id}/1")
        assert processes
        for process in processes:
            known = (
                f"HF_TOKEN={TOKEN}".encode() in Path(f"/proc/{process.pid}/environ").read_bytes()
            )
            assert known is sent
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                assert TOKEN.encode() not in path.read_bytes()
        client.stop(run.id, now=True)
        real_agent.ended(run.id)
    for top in (far.folder, real_agent.home.path):
        for path in top.rglob("*"):
            if path.is_file():
                assert TOKEN.encode() not in path.read_bytes(), path


def test_more_files_are_fetched_on_demand(far: Far, real_agent: Any, workshop: Any) -> None:
    client = real_agent.client
    run = client.submit(workshop.spec({"steps": 10}, launch=ON_FAR))
    real_agent.ended(run.id)
    found = client.hosts.fetch(run.id, ["artifacts/checkpoints/checkpoint-10/*"])
    assert found == ["artifacts/checkpoints/checkpoint-10/trainer_state.json"]
    here = real_agent.home.run(run.id).path / found[0]
    there = far.folder / "runs" / run.id / found[0]
    assert here.read_bytes() == there.read_bytes()


def test_two_hosts_have_a_queue_each(
    shared: tuple[Far, Path],
    real_agent: Any,
    workshop: Any,
    another: Callable[..., SshServer],
    tmp_path: Path,
    wait: Callable[..., Any],
) -> None:
    second, person = another("second"), shared[1]
    (person / ".ssh" / "id_rsa").write_bytes(second.key.read_bytes())
    (person / ".ssh" / "id_rsa").chmod(0o600)
    real_agent.terminate()
    other = Far(real_agent, second, "other", tmp_path / "other")
    other.know()
    real_agent.start()
    client, gate = real_agent.client, workshop.file("go")
    runs = [
        client.submit(workshop.spec({"steps": 3, "hold": {"2": str(gate)}}, launch={"host": host}))
        for host in ("far", "other", "local", "far")
    ]
    for run in runs[:3]:
        real_agent.reached(run.id, 2)
    waiting = wait(lambda: client.run(runs[3].id), lambda run: "Waits for the CPU" in run.reason)
    assert waiting.queue_position == 0
    assert client.hosts.hardware("far").devices[0].runs == [runs[0].id]
    assert client.hosts.hardware("other").devices[0].runs == [runs[1].id]
    gate.touch()
    for run in runs:
        assert real_agent.ended(run.id).state is RunState.SUCCEEDED
    other.end_everything()


def test_removing_cleans_the_host(far: Far, real_agent: Any, workshop: Any) -> None:
    client = real_agent.client
    one, two = (client.submit(workshop.spec({"steps": 2}, launch=ON_FAR)) for _ in range(2))
    for run in (one, two):
        real_agent.ended(run.id)
    client.remove(one.id)
    assert not far.attempt(one.id).path.parent.exists()
    assert far.attempt(two.id).path.exists()
    client.hosts.remove("far")
    assert not far.folder.exists()
    assert "far" not in [host.name for host in client.hosts.all()]
    assert client.run(two.id).state is RunState.SUCCEEDED
