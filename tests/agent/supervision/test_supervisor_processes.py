"""An attempt from its start to its end, seen through its supervisor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from luthier.agent.launching import (
    end_strays,
    observe,
    request_stop,
    start_attempt,
)
from luthier.agent.processes import boot_id, identity, marked_processes
from luthier.trainers.run_folder import AttemptFolder

from .attempts import (
    DEADLINE_SECONDS,
    LEAVE_WHEN_ASKED,
    TREE,
    WAIT,
    ended,
    eventually,
    plan,
    tree,
)


def test_a_worker_that_ends_is_reported(attempt: AttemptFolder, run_id: str) -> None:
    assert observe(attempt).state == "not_started"
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    began = time.time()
    supervisor = start_attempt(attempt, plan(attempt, code))
    report = ended(attempt)
    assert (report.code, report.signal, report.stopped_by, report.error) == (7, None, None, None)
    assert began <= supervisor.started_at <= report.ended_at <= time.time()
    assert (supervisor.run_id, supervisor.attempt) == (run_id, 1)
    assert supervisor.boot_id == boot_id()
    assert report.restarts == 0
    assert not report.out_of_memory_killed
    assert report.disk_free > 0
    assert sorted(attempt.output.read_text().split()) == ["err", "out"]
    assert observe(attempt).state == "ended"


def test_while_the_worker_runs_the_attempt_is_running(attempt: AttemptFolder) -> None:
    supervisor = start_attempt(attempt, plan(attempt, TREE + WAIT))
    worker = tree(attempt)[0]
    seen = observe(attempt)
    assert seen.state == "running"
    assert seen.identity == supervisor
    assert supervisor.worker_pid == worker.pid
    assert os.getsid(supervisor.pid) != os.getsid(0)
    first = eventually(lambda: observe(attempt).heartbeat_at)
    eventually(lambda: (observe(attempt).heartbeat_at or 0.0) > first)


def test_only_the_owner_may_read_and_the_worker_starts_with_a_clean_signal_state(
    attempt: AttemptFolder,
) -> None:
    code = "open('f', 'w').write(open('/proc/self/status').read())"
    start_attempt(attempt, plan(attempt, code))
    assert ended(attempt).code == 0
    status = dict(line.split(":\t") for line in (attempt.path / "f").read_text().splitlines())
    assert int(status["SigBlk"], 16) == 0
    for name in ("f", "output.log", "supervisor.json", "exit.json"):
        assert (attempt.path / name).stat().st_mode & 0o077 == 0


def test_secrets_reach_the_worker_but_no_file(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    # An agent that somebody started inside a run must not hand that run's marker on.
    monkeypatch.setenv("LUTHIER_ATTEMPT", "another/1")
    code = (
        "import os, time; names = ('LUTHIER_ATTEMPT', 'A', 'HF_TOKEN');"
        "print([os.environ[name][::-1] for name in names], flush=True); time.sleep(600)"
    )
    supervisor = start_attempt(attempt, plan(attempt, code, environment={"A": "b"}))
    expected = [f"{attempt.path.parent.name}/1"[::-1], "b", "terces_fh"]
    eventually(lambda: attempt.output.read_text() == f"{expected}\n")
    assert b"LUTHIER_ATTEMPT" not in Path(f"/proc/{supervisor.pid}/environ").read_bytes()
    for path in attempt.path.iterdir():
        assert b"hf_secret" not in path.read_bytes(), path


def test_a_killed_supervisor_is_gone_and_its_processes_are_strays(
    attempt: AttemptFolder, run_id: str
) -> None:
    supervisor = start_attempt(attempt, plan(attempt, TREE + WAIT))
    processes = tree(attempt)
    os.kill(supervisor.pid, signal.SIGKILL)
    eventually(lambda: observe(attempt).state == "gone")
    assert observe(attempt).identity == supervisor
    # The orphan with the empty environment lost every trace when its supervisor was killed.
    traced = [process for process in processes if process in marked_processes(f"{run_id}/1")]
    assert len(traced) == 3
    assert end_strays(run_id, 1, grace_seconds=0.3) == sorted(process.pid for process in traced)
    assert not any(process.is_alive() for process in traced)
    assert end_strays(run_id, 1) == []
    assert observe(attempt).state == "gone"
    for process in set(processes) - set(traced):
        os.kill(process.pid, signal.SIGKILL)


def test_strays_are_asked_before_they_are_killed(attempt: AttemptFolder, run_id: str) -> None:
    code = (
        "import signal, sys, time\n"
        "def leave(*_):\n    print('left', flush=True)\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    supervisor = start_attempt(attempt, plan(attempt, code))
    eventually(lambda: attempt.output.read_text() == "up\n")
    os.kill(supervisor.pid, signal.SIGKILL)
    eventually(lambda: observe(attempt).state == "gone")
    assert end_strays(run_id, 1, grace_seconds=DEADLINE_SECONDS) == [supervisor.worker_pid]
    assert attempt.output.read_text() == "up\nleft\n"


def test_after_a_reboot_the_attempt_is_gone(attempt: AttemptFolder) -> None:
    start_attempt(attempt, plan(attempt, TREE + WAIT, terminate_seconds=0.2))
    tree(attempt)
    assert observe(attempt).state == "running"
    assert observe(attempt, current_boot="a later boot").state == "gone"
    written = json.loads(attempt.supervisor.read_text())
    attempt.supervisor.write_text(json.dumps({**written, "boot_id": "an earlier boot"}))
    assert observe(attempt).state == "gone"
    attempt.supervisor.write_text(json.dumps(written))


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_a_reused_pid_is_neither_adopted_nor_signalled(
    attempt: AttemptFolder, stranger: subprocess.Popen[bytes]
) -> None:
    found = identity(stranger.pid)
    assert found is not None
    attempt.path.mkdir(parents=True)
    written = {
        "pid": stranger.pid,
        "start_time": found.start_time - 1,
        "boot_id": found.boot_id,
        "run_id": attempt.path.parent.name,
        "attempt": 1,
        "started_at": time.time(),
        "worker_pid": None,
    }
    attempt.supervisor.write_text(json.dumps(written))
    assert observe(attempt).state == "gone"
    request_stop(attempt, now=True)
    assert end_strays(written["run_id"], 1) == []
    assert found.is_alive()
    # The same file with the right start time is adopted, and its process poked.
    attempt.supervisor.write_text(json.dumps({**written, "start_time": found.start_time}))
    assert observe(attempt).state == "running"
    request_stop(attempt)
    assert stranger.wait(DEADLINE_SECONDS) == -signal.SIGUSR1


RESTART = """
import os, sys
count = len([name for name in os.listdir('.') if name.startswith('restart-')])
print('start', count, flush=True)
if count < int(sys.argv[1]):
    with open('restart.json', 'w') as file:
        file.write('{"reason": "out of memory"}')
    sys.exit(1)
"""


@pytest.mark.parametrize(("wanted", "allowed", "code"), [(2, 3, 0), (4, 3, 1), (1, 0, 1)])
def test_a_worker_may_ask_to_be_started_again(
    attempt: AttemptFolder, wanted: int, allowed: int, code: int
) -> None:
    argv = [sys.executable, "-I", "-S", "-c", RESTART, str(wanted)]
    start_attempt(attempt, plan(attempt, "", argv=argv, restarts=allowed))
    report = ended(attempt)
    starts = min(wanted, allowed) + 1
    assert (report.code, report.restarts) == (code, starts - 1)
    assert attempt.output.read_text().splitlines() == [f"start {n}" for n in range(starts)]
    assert attempt.restart_request.exists() == (wanted > allowed)
    assert (attempt.path / f"restart-{starts - 1}.json").exists() == (starts > 1)


def test_an_attempt_that_is_started_several_times_starts_once(attempt: AttemptFolder) -> None:
    code = "print('one', flush=True)\n" + TREE + LEAVE_WHEN_ASKED
    wanted = plan(attempt, code, terminate_seconds=0.2)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: start_attempt(attempt, wanted), range(8)))
    assert len({supervisor.pid for supervisor in found}) == 1
    tree(attempt)
    request_stop(attempt)
    ended(attempt)
    assert start_attempt(attempt, wanted).pid == found[0].pid
    assert attempt.output.read_text() == "one\n"
    assert observe(attempt).state == "ended"


def test_torn_files_are_as_good_as_none(attempt: AttemptFolder) -> None:
    supervisor = start_attempt(attempt, plan(attempt, TREE + WAIT, terminate_seconds=0.2))
    tree(attempt)
    whole = attempt.supervisor.read_text()
    for text in ("", whole[:-10], "[]", "\0" * 100, '{"pid": "x"}'):
        attempt.exit.write_text(text)
        assert observe(attempt).state == "running"
        attempt.supervisor.write_text(text)
        assert observe(attempt).state == "gone"
        attempt.supervisor.write_text(whole)
    attempt.exit.unlink()
    attempt.stop_request.write_text('{"now": tr')
    os.kill(supervisor.pid, signal.SIGUSR1)
    request_stop(attempt, now=True)
    assert ended(attempt).stopped_by == "terminate"
