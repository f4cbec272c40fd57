"""Processes are told apart by pid, start time and boot id."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from luthier.agent.processes import (
    ProcessIdentity,
    boot_id,
    identity,
    is_alive,
    marked_processes,
    start_time,
)
from luthier.agent.supervisor import read_process

SLEEP = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    yield from _process(SLEEP)


def _process(code: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    yield process
    process.kill()
    process.communicate()


def test_this_process_is_alive() -> None:
    own = identity(os.getpid())
    assert own is not None
    assert own.is_alive()
    assert own.start_time == start_time(os.getpid())
    assert own.boot_id == boot_id() != ""


def test_a_reused_pid_is_another_process(child: subprocess.Popen[str]) -> None:
    found = identity(child.pid)
    assert found is not None
    assert not is_alive(found.pid, found.start_time - 1, found.boot_id)
    assert not is_alive(os.getpid(), found.start_time, found.boot_id)


def test_a_process_of_another_boot_is_dead(child: subprocess.Popen[str]) -> None:
    found = identity(child.pid)
    assert found is not None
    assert not is_alive(found.pid, found.start_time, "another boot")
    assert not is_alive(*_fields(found), current_boot="another boot")
    assert is_alive(*_fields(found), current_boot=found.boot_id)


def test_a_zombie_is_dead(child: subprocess.Popen[str]) -> None:
    found = identity(child.pid)
    assert found is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}").exists()
    assert not found.is_alive()
    assert identity(child.pid) is None
    assert start_time(child.pid) is None


def test_no_process_has_no_identity() -> None:
    assert identity(2**22 + 1) is None


@pytest.mark.parametrize("name", [") S 1 1 (", "a b) Z 0", "\n)))"])
def test_a_process_may_have_any_name(name: str) -> None:
    rename = f"open('/proc/self/comm', 'w').write({name!r})\n"
    for process in _process(rename + SLEEP):
        assert Path(f"/proc/{process.pid}/comm").read_text() == name + "\n"
        found = identity(process.pid)
        assert found is not None
        assert found.is_alive()
        assert read_process(process.pid) == (process.pid, os.getpid(), found.start_time)


def test_marked_processes_are_found_by_the_whole_marker() -> None:
    for process in _process(SLEEP, LUTHIER_ATTEMPT="run/1"):
        assert [found.pid for found in marked_processes("run/1")] == [process.pid]
        assert marked_processes("run/10") == []
        assert marked_processes("run/") == []


def test_children_of_marked_processes_are_found_without_the_marker() -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(['sleep', '600'], env={}, start_new_session=True)\n"
        "print('up', flush=True); sys.stdin.read(); child.kill()"
    )
    for process in _process(code, LUTHIER_ATTEMPT="parent/1"):
        assert len(marked_processes("parent/1")) == 2
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        assert marked_processes("parent/1") == []
        process.stdin = None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
def test_processes_of_other_users_are_left_alone() -> None:
    process = subprocess.Popen(
        ["sleep", "600"], user=65534, env={"PATH": os.environ["PATH"], "LUTHIER_ATTEMPT": "other/1"}
    )
    try:
        assert marked_processes("other/1") == []
    finally:
        process.kill()
        process.wait()


def _fields(process: ProcessIdentity) -> tuple[int, int, str]:
    return process.pid, process.start_time, process.boot_id
