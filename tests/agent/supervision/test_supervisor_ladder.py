"""Each rung of the stop ladder ends the whole process tree."""

from __future__ import annotations

import json
import os
import signal

import pytest

from luthier.agent.launching import (
    observe,
    request_stop,
    start_attempt,
)
from luthier.trainers.run_folder import AttemptFolder

from .attempts import (
    IGNORE_TERMINATE,
    LEAVE_WHEN_ASKED,
    TREE,
    WAIT,
    ended,
    eventually,
    none_lives,
    plan,
    tree,
)


def test_asked_to_stop_the_worker_leaves_by_itself(attempt: AttemptFolder) -> None:
    start_attempt(attempt, plan(attempt, TREE + LEAVE_WHEN_ASKED, terminate_seconds=0.2))
    processes = tree(attempt)
    request_stop(attempt)
    report = ended(attempt)
    assert (report.code, report.signal, report.stopped_by) == (0, None, "ask")
    assert none_lives(processes)


def test_a_worker_that_does_not_listen_is_terminated(attempt: AttemptFolder) -> None:
    patience = {"ask_seconds": 0.2, "terminate_seconds": 0.2}
    start_attempt(attempt, plan(attempt, TREE + WAIT, **patience))
    processes = tree(attempt)
    request_stop(attempt)
    report = ended(attempt)
    assert (report.code, report.signal, report.stopped_by) == (None, 15, "terminate")
    assert none_lives(processes)


def test_a_worker_that_ignores_sigterm_is_killed(attempt: AttemptFolder) -> None:
    patience = {"ask_seconds": 0.2, "terminate_seconds": 0.2}
    start_attempt(attempt, plan(attempt, IGNORED_FROM_THE_START, **patience))
    processes = tree(attempt)
    request_stop(attempt)
    report = ended(attempt)
    assert (report.code, report.signal, report.stopped_by) == (None, 9, "kill")
    assert not report.out_of_memory_killed
    assert none_lives(processes)


IGNORED_FROM_THE_START = "import signal\n" + IGNORE_TERMINATE + TREE + WAIT


def test_now_skips_the_asking(attempt: AttemptFolder) -> None:
    start_attempt(attempt, plan(attempt, TREE + LEAVE_WHEN_ASKED, terminate_seconds=0.2))
    processes = tree(attempt)
    request_stop(attempt, now=True)
    report = ended(attempt)
    # The worker may see the file in the moment before the signal comes.
    assert (report.code, report.signal) in {(0, None), (None, 15)}
    assert report.stopped_by == "terminate"
    assert none_lives(processes)


def test_a_later_now_shortens_the_ladder_and_nothing_lengthens_it(attempt: AttemptFolder) -> None:
    start_attempt(attempt, plan(attempt, TREE + WAIT, terminate_seconds=0.2))
    processes = tree(attempt)
    request_stop(attempt)
    assert json.loads(attempt.stop_request.read_text())["now"] is False
    request_stop(attempt, now=True)
    request_stop(attempt)
    assert json.loads(attempt.stop_request.read_text())["now"] is True
    assert ended(attempt).stopped_by == "terminate"
    assert none_lives(processes)


def test_a_paused_worker_is_terminated_too(attempt: AttemptFolder) -> None:
    start_attempt(attempt, plan(attempt, TREE + WAIT, terminate_seconds=0.2))
    processes = tree(attempt)
    os.kill(processes[0].pid, signal.SIGSTOP)
    request_stop(attempt, now=True)
    assert ended(attempt).stopped_by == "terminate"
    assert none_lives(processes)


def test_what_a_worker_leaves_behind_is_ended(attempt: AttemptFolder) -> None:
    code = TREE + "while not os.path.exists('go'):\n    time.sleep(0.02)\nsys.exit(5)\n"
    start_attempt(attempt, plan(attempt, code, terminate_seconds=0.2))
    processes = tree(attempt)
    (attempt.path / "go").touch()
    report = ended(attempt)
    assert (report.code, report.stopped_by) == (5, None)
    assert none_lives(processes)


def test_a_killed_worker_is_reported_with_its_signal(attempt: AttemptFolder) -> None:
    start_attempt(attempt, plan(attempt, TREE + WAIT, terminate_seconds=0.2))
    processes = tree(attempt)
    os.kill(processes[0].pid, signal.SIGKILL)
    report = ended(attempt)
    assert (report.code, report.signal, report.stopped_by) == (None, 9, None)
    assert not report.out_of_memory_killed
    assert none_lives(processes)


def test_the_supervisor_survives_hangups_and_ends_the_tree_when_terminated(
    attempt: AttemptFolder,
) -> None:
    supervisor = start_attempt(attempt, plan(attempt, TREE + WAIT, terminate_seconds=0.2))
    processes = tree(attempt)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
        before = eventually(lambda: observe(attempt).heartbeat_at)
        os.kill(supervisor.pid, number)
        eventually(lambda before=before: (observe(attempt).heartbeat_at or 0.0) > before)
        assert observe(attempt).state == "running"
    os.kill(supervisor.pid, signal.SIGTERM)
    report = ended(attempt)
    assert (report.signal, report.stopped_by) == (15, "terminate")
    assert none_lives(processes)


def test_a_stopped_worker_is_not_started_again(attempt: AttemptFolder) -> None:
    code = TREE + "open('restart.json', 'w').write('{}')\n" + LEAVE_WHEN_ASKED
    start_attempt(attempt, plan(attempt, code, terminate_seconds=0.2))
    tree(attempt)
    request_stop(attempt)
    report = ended(attempt)
    assert (report.code, report.restarts, report.stopped_by) == (0, 0, "ask")


@pytest.mark.parametrize(("now", "rung"), [(False, "ask"), (True, "terminate")])
def test_a_stop_before_the_start_starts_no_worker(
    attempt: AttemptFolder, now: bool, rung: str
) -> None:
    request_stop(attempt, now=now)
    assert observe(attempt).state == "not_started"
    supervisor = start_attempt(attempt, plan(attempt, "print('ran')"))
    report = ended(attempt)
    assert supervisor.worker_pid is None
    assert (report.code, report.signal, report.stopped_by) == (None, None, rung)
    assert attempt.output.read_text() == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"now": "yes"}'])
def test_any_stop_file_is_a_request(attempt: AttemptFolder, text: str) -> None:
    start_attempt(attempt, plan(attempt, TREE + LEAVE_WHEN_ASKED, terminate_seconds=0.2))
    tree(attempt)
    attempt.stop_request.write_text(text)
    assert ended(attempt).stopped_by == "ask"
