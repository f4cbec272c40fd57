"""Whatever is killed whenever, nothing is lost and nothing happens twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from luthier.agent.errors import AgentError, RefusedError
from luthier.agent.processes import marked_processes
from luthier.agent.states import RunState
from luthier.trainers.run_folder import write_json

if TYPE_CHECKING:
    from .conftest import RealAgent, Workshop

_KILLS = 20


def test_agent_killed_at_random_moments_stores_every_step_once(
    real_agent: RealAgent, workshop: Workshop
) -> None:
    # Three metrics lines a step; the worker ends long after the last kill at the earliest.
    behaviour = {"steps": 600, "pace": 0.05, "metrics_per_step": 3, "checkpoint_every": 50}
    moments = random.Random(11)
    client = real_agent.start()
    run = client.submit(workshop.spec(behaviour))
    for _ in range(_KILLS):
        # Also before the first event, while the run is being started.
        time.sleep(moments.uniform(0, 0.4))
        real_agent.kill()
        client = real_agent.start()
    done = real_agent.ended(run.id, seconds=120)
    assert (done.state, done.attempts[-1].exit_code) == (RunState.SUCCEEDED, 0)
    assert len(done.attempts) == 1
    assert done.progress.step == 600
    for name in ("loss", "loss1", "loss2"):
        assert real_agent.stored_steps(run.id, name) == list(range(1, 601))
    assert client.status().problems == []


def test_what_ended_while_no_agent_lived_is_learned(
    real_agent: RealAgent, workshop: Workshop, wait: Callable[..., Any]
) -> None:
    client = real_agent.start()
    gate = workshop.file("go")
    run = client.submit(workshop.spec({"steps": 9, "hold": {"3": str(gate)}, "crash": {"7": 5}}))
    second = client.submit(workshop.spec({"steps": 2}))
    real_agent.reached(run.id, 3)
    real_agent.kill()
    gate.touch()
    wait(real_agent.home.run(run.id).attempt(1).exit.exists)
    client = real_agent.start()
    failed = real_agent.ended(run.id)
    assert (failed.state, failed.attempts[0].exit_code) == (RunState.FAILED, 5)
    assert real_agent.stored_steps(run.id) == list(range(1, 8))
    assert real_agent.ended(second.id).state is RunState.SUCCEEDED


def test_stop_that_was_asked_before_the_agent_died_still_counts(
    real_agent: RealAgent, workshop: Workshop
) -> None:
    client = real_agent.start()
    run = client.submit(
        workshop.spec({"steps": 10_000, "deaf": True}, launch={"stop_deadline": 1.5})
    )
    real_agent.reached(run.id, 2)
    client.stop(run.id)
    real_agent.kill()
    real_agent.start()
    stopped = real_agent.ended(run.id)
    assert stopped.state is RunState.STOPPED
    assert stopped.attempts[0].stopped_by == "terminate"


def test_graceful_end_leaves_runs_alone(real_agent: RealAgent, workshop: Workshop) -> None:
    client = real_agent.start()
    gate = workshop.file("go")
    run = client.submit(workshop.spec({"steps": 5, "hold": {"3": str(gate)}}))
    real_agent.reached(run.id, 3)
    assert real_agent.terminate() == 0
    assert not real_agent.home.socket.exists()
    assert real_agent.supervisor(run.id).is_alive()
    gate.touch()
    real_agent.start()
    assert real_agent.ended(run.id).state is RunState.SUCCEEDED


@pytest.mark.parametrize("what", ["boot_id", "start_time"])
def test_after_a_reboot_or_with_a_reused_pid_the_run_is_lost(
    real_agent: RealAgent, workshop: Workshop, what: str
) -> None:
    client = real_agent.start()
    run = client.submit(workshop.spec({"steps": 10_000}))
    real_agent.reached(run.id, 2)
    real_agent.kill()
    attempt = real_agent.home.run(run.id).attempt(1)
    identity = json.loads(attempt.supervisor.read_text())
    other = {"boot_id": "1b4e28ba-2fa1-11d2-883f-0016d3cca427", "start_time": 1}[what]
    write_json(attempt.supervisor, {**identity, what: other})
    client = real_agent.start()
    lost = real_agent.ended(run.id)
    assert lost.state is RunState.LOST
    assert "vanished without a report" in lost.reason
    assert lost.resumable
    assert marked_processes(f"{run.id}/1") == []
    # A process that has the pid by chance must not be hurt.
    assert os.path.exists(f"/proc/{identity['pid']}") or what == "boot_id"
    client.resume(run.id, overrides=["training.max_steps=20"])
    assert real_agent.ended(run.id).state is RunState.SUCCEEDED


def test_lost_run_with_retries_goes_on_by_itself(real_agent: RealAgent, workshop: Workshop) -> None:
    client = real_agent.start()
    gate = workshop.file("go")
    run = client.submit(
        workshop.spec({"steps": 12, "hold": {"8": str(gate)}}, launch={"retries": 1})
    )
    real_agent.reached(run.id, 8)
    os.kill(real_agent.supervisor(run.id).pid, 9)
    gate.touch()
    done = real_agent.ended(run.id)
    assert done.state is RunState.SUCCEEDED
    assert [attempt.number for attempt in done.attempts] == [1, 2]
    assert done.attempts[0].exit_code is None
    assert marked_processes(f"{run.id}/1") == []


def test_run_that_was_never_started_by_a_dead_agent_is_queued_again(
    real_agent: RealAgent, workshop: Workshop
) -> None:
    client = real_agent.start()
    gate = workshop.file("go")
    blocker = client.submit(workshop.spec({"steps": 2, "hold": {"1": str(gate)}}))
    run = client.submit(workshop.spec({"steps": 3}))
    real_agent.reached(blocker.id, 1)
    real_agent.kill()
    # As an agent leaves it that dies between writing the record and starting the supervisor.
    path = real_agent.home.run(run.id).record
    attempt = {"number": 1, "started_at": time.time(), "devices": ["cpu"]}
    write_json(path, {**json.loads(path.read_text()), "state": "starting", "attempts": [attempt]})
    gate.touch()
    real_agent.start()
    done = real_agent.ended(run.id)
    assert done.state is RunState.SUCCEEDED
    assert len(done.attempts) == 1


def _broken_database(path: Path) -> None:
    # The journal could mend what is written over.
    Path(f"{path}-wal").unlink(missing_ok=True)
    path.write_bytes(os.urandom(64 * 1024))


def _gone_database(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [(_broken_database, "was damaged and is kept as"), (_gone_database, "was missing")],
)
def test_database_is_rebuilt_from_the_run_folders(
    real_agent: RealAgent,
    workshop: Workshop,
    wait: Callable[..., Any],
    harm: Callable[[Path], None],
    sentence: str,
) -> None:
    client = real_agent.start()
    gate = workshop.file("go")
    done = client.submit(workshop.spec({"steps": 30, "crash": {"20": 2}}, name="done"))
    real_agent.ended(done.id)
    client.resume(done.id, overrides=["training.seed=3"])
    before = real_agent.ended(done.id)
    alive = client.submit(workshop.spec({"steps": 9, "hold": {"4": str(gate)}}, name="alive"))
    real_agent.reached(alive.id, 4)
    points, hardware = client.points(done.id, "loss"), client.hardware_history(done.id)
    events = client.events(done.id)
    real_agent.kill()
    harm(real_agent.home.database)
    client = real_agent.start()
    problems = wait(lambda: client.status().problems, lambda found: "It was rebuilt" in str(found))
    assert sentence in problems[0]
    assert client.run(done.id) == before
    assert client.points(done.id, "loss") == points
    assert client.hardware_history(done.id) == hardware
    assert client.events(done.id) == events
    gate.touch()
    assert real_agent.ended(alive.id).state is RunState.SUCCEEDED
    assert real_agent.stored_steps(alive.id) == list(range(1, 10))


def test_database_that_breaks_under_a_living_agent_is_rebuilt_too(
    real_agent: RealAgent, workshop: Workshop, wait: Callable[..., Any]
) -> None:
    client = real_agent.start()
    gate = workshop.file("go")
    run = client.submit(workshop.spec({"steps": 9, "hold": {"4": str(gate)}}))
    real_agent.reached(run.id, 4)
    path = real_agent.home.database
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
    gate.touch()

    def problems() -> str:
        try:
            return str(client.status().problems)
        except AgentError:
            # While one life of the agent ends and the next begins.
            return ""

    wait(problems, lambda found: "It was rebuilt" in found)
    assert real_agent.ended(run.id).state is RunState.SUCCEEDED
    assert real_agent.stored_steps(run.id) == list(range(1, 10))
    assert list(real_agent.home.path.glob("luthier.db.damaged-*"))


def test_run_with_an_unreadable_record_is_shown_and_left_alone(
    real_agent: RealAgent, workshop: Workshop
) -> None:
    client = real_agent.start()
    run = client.submit(workshop.spec({"steps": 2}, name="torn"))
    real_agent.ended(run.id)
    real_agent.kill()
    path = real_agent.home.run(run.id).record
    path.write_text('{"id": "' + run.id)
    client = real_agent.start()
    found = client.run(run.id)
    assert (found.name, found.state) == ("torn", RunState.LOST)
    assert "run.json: not a run's record" in found.reason
    assert any("run.json" in problem for problem in client.status().problems)
    with pytest.raises(RefusedError, match="the agent leaves the run alone"):
        client.remove(run.id)
    real_agent.terminate()
    assert path.read_text() == '{"id": "' + run.id


def test_half_made_and_half_deleted_folders_are_cleared_away(
    real_agent: RealAgent, workshop: Workshop
) -> None:
    client = real_agent.start()
    real_agent.terminate()
    for name in (".new-20260101-000000-aaaa", ".removed-20260101-000000-bbbb"):
        (real_agent.home.runs / name).mkdir()
        (real_agent.home.runs / name / "run.json").write_text("{")
    client = real_agent.start()
    assert client.runs() == []
    assert client.status().problems == []
    assert list(real_agent.home.runs.iterdir()) == []
