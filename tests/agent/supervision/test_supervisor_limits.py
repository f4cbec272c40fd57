"""What the supervisor does where something is missing: programs, disk space, memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from luthier.agent import launching
from luthier.agent.launching import (
    end_strays,
    observe,
    request_stop,
    start_attempt,
)
from luthier.trainers.errors import LuthierError
from luthier.trainers.run_folder import AttemptFolder

from .attempts import (
    LEAVE_WHEN_ASKED,
    TREE,
    WAIT,
    ended,
    eventually,
    none_lives,
    plan,
    tree,
)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"argv": ["/nowhere/python"]}, "/nowhere/python"),
        ({"cwd": "/nowhere"}, "/nowhere"),
        ({"argv": []}, "IndexError"),
        ({"argv": ["null\0byte"]}, "null byte"),
    ],
)
def test_a_worker_that_cannot_be_started_is_an_error_and_an_end(
    attempt: AttemptFolder, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(LuthierError, match="the start failed") as caught:
        start_attempt(attempt, plan(attempt, "", **changes))
    assert named in str(caught.value)
    report = ended(attempt)
    assert (report.code, report.signal, report.stopped_by) == (None, None, None)
    assert report.error is not None
    assert named in report.error


def test_a_missing_interpreter_is_an_error(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(LuthierError, match="/nowhere/python"):
        start_attempt(attempt, plan(attempt, "pass"))
    assert observe(attempt).state == "not_started"


def test_a_supervisor_that_does_not_answer_is_told_to_stop(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "_START_SECONDS", 0.0)
    with pytest.raises(LuthierError, match="did not answer"):
        start_attempt(attempt, plan(attempt, "print('ran')"))
    assert json.loads(attempt.stop_request.read_text())["now"] is True


def test_the_memory_limit_holds_for_the_worker(attempt: AttemptFolder) -> None:
    code = "bytes(300_000_000)"
    start_attempt(attempt, plan(attempt, code, memory_limit_bytes=200_000_000))
    assert ended(attempt).code == 1
    assert "MemoryError" in attempt.output.read_text()


def test_an_older_python_runs_the_supervisor(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = shutil.which("python3.8")
    if not older or subprocess.run([older, "-V"], capture_output=True, check=False).returncode:
        pytest.skip("there is no Python 3.8 on the path")
    wanted = plan(attempt, TREE + LEAVE_WHEN_ASKED, terminate_seconds=0.2)
    monkeypatch.setattr(sys, "executable", older)
    start_attempt(attempt, wanted)
    processes = tree(attempt)
    request_stop(attempt)
    assert ended(attempt).code == 0
    assert none_lives(processes)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    mount = shutil.which("mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [str(mount), "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if mount is None or os.getuid() != 0 or subprocess.run(command, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_attempt(small_disk: Path, run_id: str) -> Iterator[AttemptFolder]:
    yield AttemptFolder(small_disk / run_id / "attempt-1")
    end_strays(run_id, 1, grace_seconds=0.0)


def fill(folder: Path) -> Path:
    """Leave not one free byte on the disk."""
    path = folder / "filler"
    with path.open("ab", buffering=0) as file:
        size = 65536
        while size:
            try:
                written = file.write(b"x" * size)
            except OSError:
                written = 0
            size = size if written == size else size // 2
    assert os.statvfs(folder).f_bavail == 0
    return path


def test_a_full_disk_still_takes_the_end(small_attempt: AttemptFolder, small_disk: Path) -> None:
    attempt = small_attempt
    write = "try:\n        os.write(1, b'x' * 9999)\n    except OSError:\n        os._exit(4)\n"
    code = f"{TREE}while True:\n    time.sleep(0.02)\n    {write}"
    start_attempt(attempt, plan(attempt, code, terminate_seconds=0.2))
    processes = tree(attempt)
    fill(small_disk)
    report = ended(attempt)
    assert (report.code, report.stopped_by, report.disk_free) == (4, None, 0)
    assert none_lives(processes)


@pytest.mark.parametrize("now", [False, True])
def test_a_run_on_a_full_disk_can_be_stopped(
    small_attempt: AttemptFolder, small_disk: Path, now: bool
) -> None:
    attempt = small_attempt
    code = TREE + (WAIT if now else LEAVE_WHEN_ASKED)
    start_attempt(attempt, plan(attempt, code, terminate_seconds=0.2))
    processes = tree(attempt)
    fill(small_disk)
    request_stop(attempt, now=now)
    report = ended(attempt)
    assert report.stopped_by == ("terminate" if now else "ask")
    assert report.disk_free == 0
    assert none_lives(processes)


def test_on_a_full_disk_nothing_is_started(small_attempt: AttemptFolder, small_disk: Path) -> None:
    attempt = small_attempt
    wanted = plan(attempt, "print('ran')")
    filler = fill(small_disk)
    with pytest.raises(LuthierError, match="No space left on device"):
        start_attempt(attempt, wanted)
    assert observe(attempt).state == "not_started"
    # Room for launch.json, none for the supervisor's reserve.
    os.truncate(filler, filler.stat().st_size - 4096)
    with pytest.raises(LuthierError, match="No space left on device"):
        start_attempt(attempt, wanted)
    assert observe(attempt).state == "not_started"
    filler.unlink()
    start_attempt(attempt, wanted)
    assert ended(attempt).code == 0


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """The tasks file of a control group of 64 MiB."""
    memory = next(
        (
            line.split(":", 2)[2]
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if line.split(":")[1] == "memory"
        ),
        None,
    )
    group = Path(f"/sys/fs/cgroup/memory{memory}") / f"luthier-{uuid.uuid4().hex}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 * 2**20))
    except OSError:
        pytest.skip("needs the right to make a control group (version 1)")
    yield group / "tasks"
    eventually(lambda: not (group / "tasks").read_text())
    group.rmdir()


HUNGRY = "memory = [b'x' * 2**20 for _ in range(200)]"
LAUNCHER = f"""
import os, sys
if os.fork() == 0:
    {HUNGRY}
sys.exit(os.wait()[1] != 0)
"""


@pytest.mark.parametrize(("code", "end"), [(HUNGRY, (None, 9)), (LAUNCHER, (1, None))])
def test_the_out_of_memory_killer_is_named(
    attempt: AttemptFolder, small_memory: Path, code: str, end: tuple[int | None, int | None]
) -> None:
    wanted = plan(attempt, code)
    # A process of its own joins the group: its memory must not be that of the test's.
    starter = os.fork()
    if starter == 0:
        with suppress(BaseException):
            small_memory.write_text(str(os.getpid()))
            start_attempt(attempt, wanted)
        os._exit(0)
    os.waitpid(starter, 0)
    report = ended(attempt)
    assert (report.code, report.signal) == end
    assert report.out_of_memory_killed
