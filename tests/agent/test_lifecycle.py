"""A run from submission to its end, in every way that it can end."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from luthier.agent.client import Client
from luthier.agent.errors import RefusedError
from luthier.agent.processes import marked_processes
from luthier.agent.states import RunState
from luthier.trainers.run_folder import RunFolder

if TYPE_CHECKING:
    from .conftest import RealAgent, Workshop


@pytest.fixture(scope="module")
def real_agent(shared_agent: RealAgent) -> RealAgent:
    return shared_agent


@pytest.fixture(scope="module")
def client(shared_agent: RealAgent) -> Client:
    return shared_agent.client


def test_run_succeeds_and_everything_it_said_is_kept(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    submitted = client.submit(workshop.spec({"steps": 12}), overrides=["training.seed=7"])
    assert submitted.spec["training"]["seed"] == 7
    run = real_agent.ended(submitted.id)
    assert (run.state, run.reason, run.progress.step) == (RunState.SUCCEEDED, "", 12)
    assert run.artifact == "artifacts/adapter"
    assert run.last_metrics == {"loss": 1 / 12}
    attempt = run.attempts[0]
    assert (attempt.exit_code, attempt.devices) == (0, ["cpu"])
    assert real_agent.stored_steps(run.id) == list(range(1, 13))
    assert client.points(run.id, "loss").values == [1 / step for step in range(1, 13)]
    log = client.log(run.id)
    assert log.size == attempt.log_bytes == len(log.data)
    assert log.data.splitlines()[-1] == b"step 12 on cpu"
    assert yaml.safe_load((RunFolder(real_agent.home.runs / run.id).spec).read_text()) == run.spec


def test_run_is_found_by_prefix_and_name(client: Client, workshop: Workshop) -> None:
    first = client.submit(workshop.spec(name="violin"))
    client.submit(workshop.spec(name="cello"))
    assert client.run("violin").id == client.run(first.id[:-1]).id == first.id
    with pytest.raises(RefusedError, match="Several runs are called") as refused:
        client.run(first.id[:6])
    assert refused.value.status == 409
    with pytest.raises(RefusedError, match="There is no run 'viola'") as refused:
        client.run("viola")
    assert (refused.value.status, refused.value.exit_code) == (404, 2)


def test_stop_asks_for_a_checkpoint_and_resume_goes_on_from_it(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    run = client.submit(workshop.spec({"steps": 40, "hold": {"7": str(workshop.file("go"))}}))
    real_agent.reached(run.id, 7)
    assert client.stop(run.id).state is RunState.STOPPING
    client.stop(run.id)
    stopped = real_agent.ended(run.id)
    assert stopped.state is RunState.STOPPED
    assert stopped.reason == "Stopped after step 7."
    assert stopped.attempts[0].stopped_by == "ask"
    assert stopped.resumable
    workshop.file("go").touch()
    again = client.resume(run.id, overrides=["training.max_steps=12"])
    assert again.state in (RunState.QUEUED, RunState.STARTING)
    done = real_agent.ended(run.id)
    assert (done.state, done.progress.step) == (RunState.SUCCEEDED, 12)
    assert [attempt.number for attempt in done.attempts] == [1, 2]
    assert done.spec["training"]["max_steps"] == 12
    assert real_agent.stored_steps(run.id) == list(range(1, 13))
    before = yaml.safe_load((real_agent.home.runs / run.id / "spec-1.yaml").read_text())
    assert before["training"]["max_steps"] == -1


def test_finished_run_refuses_stop_and_needs_more_to_do_for_resume(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    run = client.submit(workshop.spec({"steps": 3}))
    real_agent.ended(run.id)
    with pytest.raises(RefusedError, match="finished already: it succeeded"):
        client.stop(run.id)
    with pytest.raises(RefusedError, match="nothing left to do"):
        client.resume(run.id)
    with pytest.raises(RefusedError, match=r"unknown key training\.max_step; did you mean"):
        client.resume(run.id, overrides=["training.max_step=9"])
    client.resume(run.id, overrides=["training.max_steps=9"])
    assert real_agent.ended(run.id).progress.step == 9


@pytest.mark.parametrize(
    ("behaviour", "rung"),
    [
        ({"child": True}, "ask"),
        ({"deaf": True, "child": True}, "terminate"),
        ({"deaf": True, "stubborn": True, "child": True}, "kill"),
    ],
)
def test_every_rung_of_the_ladder_leaves_no_process(
    real_agent: RealAgent,
    client: Client,
    workshop: Workshop,
    behaviour: dict[str, Any],
    rung: str,
) -> None:
    spec = workshop.spec(
        {"steps": 100_000, **behaviour}, launch={"stop_deadline": 0.3, "devices": "cpu"}
    )
    run = client.submit(spec)
    real_agent.reached(run.id, 3)
    assert len(marked_processes(f"{run.id}/1")) >= 2
    client.stop(run.id)
    if rung == "kill":
        client.stop(run.id, now=True)
    stopped = real_agent.ended(run.id)
    assert stopped.state is RunState.STOPPED
    assert stopped.attempts[0].stopped_by == rung
    assert marked_processes(f"{run.id}/1") == []


def test_stop_now_skips_the_checkpoint(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    run = client.submit(workshop.spec({"steps": 100_000, "deaf": True}))
    real_agent.reached(run.id, 3)
    client.stop(run.id)
    client.stop(run.id, now=True)
    stopped = real_agent.ended(run.id)
    assert (stopped.state, stopped.reason) == (
        RunState.STOPPED,
        "Stopped without a new checkpoint.",
    )


def test_stop_at_any_moment_of_the_start_ends_the_run(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    for earliest in (RunState.QUEUED, RunState.STARTING, RunState.RUNNING):
        for now in (False, True):
            run = client.submit(workshop.spec({"steps": 100_000}))
            states = list(RunState)
            real_agent.in_one_of(run.id, *states[states.index(earliest) :])
            client.stop(run.id, now=now)
            assert real_agent.ended(run.id).state is RunState.STOPPED
            assert marked_processes(f"{run.id}/1") == []


@pytest.mark.parametrize(
    ("what", "reason", "hint"),
    [
        ("error", "The rows are wrong.", "Mend them."),
        ("SIGKILL", "The worker was killed by signal 9 (SIGKILL).", "luthier resume"),
        ("SIGSEGV", "The worker was killed by signal 11 (SIGSEGV).", "luthier resume"),
        (3, "The worker ended with exit code 3.", "output.log"),
        (0, "The worker left without saying that it was done.", "output.log"),
    ],
)
def test_failure_says_why(
    real_agent: RealAgent,
    client: Client,
    workshop: Workshop,
    what: Any,
    reason: str,
    hint: str,
) -> None:
    run = client.submit(workshop.spec({"steps": 20, "crash": {"6": what}}))
    failed = real_agent.ended(run.id)
    assert (failed.state, failed.reason) == (RunState.FAILED, reason)
    assert hint in failed.hint
    assert failed.resumable
    assert real_agent.stored_steps(run.id) == [1, 2, 3, 4, 5, 6]


def test_killed_trainer_is_resumed_from_its_checkpoint(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    gate = workshop.file("go")
    run = client.submit(workshop.spec({"steps": 12, "hold": {"8": str(gate)}}))
    real_agent.reached(run.id, 8)
    worker = real_agent.supervisor(run.id).worker_pid
    assert worker is not None
    os.kill(worker, 9)
    failed = real_agent.ended(run.id)
    assert "SIGKILL" in failed.reason
    assert failed.attempts[0].signal == 9
    gate.touch()
    client.resume(run.id)
    done = real_agent.ended(run.id)
    assert done.state is RunState.SUCCEEDED
    # The checkpoint was at 5, so 6 to 8 were computed twice; a step has one value all the same.
    assert real_agent.stored_steps(run.id) == [*range(1, 9), *range(6, 13)]
    assert client.points(run.id, "loss").steps == list(range(1, 13))


def test_worker_that_cannot_be_run_fails_with_the_command_named(
    fresh_agent: RealAgent, workshop: Workshop
) -> None:
    fresh_agent.write_settings(worker_command=["/nowhere/python"])
    client = fresh_agent.start()
    run = client.submit(workshop.spec())
    failed = fresh_agent.ended(run.id)
    assert failed.state is RunState.FAILED
    assert "/nowhere/python" in failed.reason
    assert "luthier doctor" in failed.hint


def test_worker_may_ask_to_be_started_again(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    run = client.submit(workshop.spec({"steps": 9, "restart_once": 7}))
    done = real_agent.ended(run.id)
    assert (done.state, len(done.attempts)) == (RunState.SUCCEEDED, 1)
    assert client.points(run.id, "loss").steps == list(range(1, 10))


def test_remove_deletes_only_finished_runs(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    gate = workshop.file("go")
    run = client.submit(workshop.spec({"steps": 3, "hold": {"2": str(gate)}}))
    real_agent.reached(run.id, 2)
    with pytest.raises(RefusedError, match=f"Stop it with: luthier stop {run.id}"):
        client.remove(run.id)
    gate.touch()
    real_agent.ended(run.id)
    client.remove(run.id)
    assert run.id not in [other.id for other in client.runs()]
    assert not [path for path in real_agent.home.runs.iterdir() if run.id in path.name]


def test_hardware_is_sampled_while_a_run_is_active(
    real_agent: RealAgent, client: Client, workshop: Workshop, wait: Callable[..., Any]
) -> None:
    gate = workshop.file("go")
    run = client.submit(workshop.spec({"steps": 2, "hold": {"1": str(gate)}}))
    samples = wait(lambda: client.hardware_history(run.id), lambda found: len(found) >= 2)
    gate.touch()
    real_agent.ended(run.id)
    kept = (real_agent.home.runs / run.id / "attempt-1" / "hardware.jsonl").read_text()
    assert len(kept.splitlines()) >= len(samples)
    assert samples[0].devices[0].id == "cpu"
