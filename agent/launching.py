"""Starting, watching and ending attempts through their supervisor process.

Everything here is blocking and quick (a start takes about a tenth of a second); call it in a
thread. What is known about an attempt is read from its folder, so any agent at any time sees the
same, also one that was started after the attempt had ended.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from luthier.trainers.errors import LuthierError
from luthier.trainers.run_folder import AttemptFolder

from .processes import ProcessIdentity, is_alive, marked_processes
from .supervisor import ALREADY_STARTED, MARKER

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_START_SECONDS = 60.0
_POLL_SECONDS = 0.02

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class LaunchPlan:
    """What the supervisor is told. Secrets never go in here: it inherits the agent's environment.

    ``environment`` is added to the agent's; the seconds are the deadlines of the stop ladder's
    first two rungs; ``memory_limit_bytes`` limits each process's data segment.
    """

    run_id: str
    attempt: int
    argv: Sequence[str]
    cwd: str
    environment: Mapping[str, str]
    ask_seconds: float = 120.0
    terminate_seconds: float = 10.0
    restarts: int = 3
    heartbeat_seconds: float = 2.0
    memory_limit_bytes: int | None = None


class SupervisorIdentity(BaseModel):
    """Who stands over an attempt; what supervisor.json says.

    ``start_time`` is in clock ticks since the boot, ``started_at`` in Unix seconds.
    ``worker_pid`` is None until the worker was started.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    pid: int
    start_time: int
    boot_id: str
    run_id: str
    attempt: int
    started_at: float
    worker_pid: int | None = None

    @classmethod
    def read(cls, attempt: AttemptFolder) -> SupervisorIdentity | None:
        """The identity in the attempt's folder; None when there is none or it is damaged."""
        return _read(cls, attempt.supervisor)

    def is_alive(self, *, current_boot: str | None = None) -> bool:
        """Whether this very supervisor lives (see :func:`luthier.agent.processes.is_alive`)."""
        return is_alive(self.pid, self.start_time, self.boot_id, current_boot=current_boot)


class ExitReport(BaseModel):
    """How an attempt ended; what exit.json says.

    ``code`` and ``signal`` are the worker's, both None when it was never started. ``stopped_by``
    is the rung of the stop ladder at which the worker left, None when it left by itself.
    ``disk_free`` is in bytes, on the run folder's disk. ``error`` says what kept the supervisor
    from its work: the worker cannot be started, processes do not end on SIGKILL, ...
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: int | None
    signal: int | None
    ended_at: float
    stopped_by: Literal["ask", "terminate", "kill"] | None = None
    restarts: int = 0
    out_of_memory_killed: bool = False
    disk_free: int = 0
    error: str | None = None

    @classmethod
    def read(cls, attempt: AttemptFolder) -> ExitReport | None:
        """The report in the attempt's folder; None when there is none or it is damaged."""
        return _read(cls, attempt.exit)


@dataclass(frozen=True)
class Observation:
    """What is true of an attempt now.

    ``gone``: it was started, but its supervisor lives no more and left no report (killed, the
    machine restarted); processes of it may be left, which :func:`end_strays` ends.
    ``unknown``: its host has not told yet.
    ``heartbeat_at`` is the Unix time of the supervisor's last sign of life.
    """

    state: Literal["not_started", "running", "ended", "gone", "unknown"]
    identity: SupervisorIdentity | None = None
    exit: ExitReport | None = None
    heartbeat_at: float | None = None


def start_attempt(attempt: AttemptFolder, plan: LaunchPlan) -> SupervisorIdentity:
    """Write launch.json, start the supervisor and wait until it has started the worker.

    An attempt that was started before is not started again; its supervisor is returned.

    Raises:
        LuthierError: it could not be started, with the reason; nothing of it runs or will run.
    """
    try:
        attempt.path.mkdir(parents=True, exist_ok=True)
        if not attempt.launch.exists():
            _write(attempt.launch, {**asdict(plan), "environment": dict(plan.environment)})
        _run_supervisor(attempt)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        raise LuthierError(f"{attempt.path}: the start failed: {reason or error}.") from error
    # The supervisor of an earlier call, whose agent was killed, may be just coming up.
    deadline = time.monotonic() + _START_SECONDS
    while (found := SupervisorIdentity.read(attempt)) is None:
        if time.monotonic() >= deadline:
            raise LuthierError(f"{attempt.path}: the supervisor wrote no readable identity.")
        time.sleep(_POLL_SECONDS)
    return found


def observe(attempt: AttemptFolder, *, current_boot: str | None = None) -> Observation:
    """What is true of the attempt, from its folder and the process table.

    ``current_boot`` is the boot id to compare with, this machine's present one when None.
    """
    identity = SupervisorIdentity.read(attempt)
    # In this order: a supervisor writes its report before it ends, so once it is seen dead a
    # report that is still missing will never come.
    alive = identity is not None and identity.is_alive(current_boot=current_boot)
    report = ExitReport.read(attempt)
    beat = _modified(attempt.heartbeat)
    if report is not None:
        return Observation("ended", identity, report, beat)
    if alive:
        return Observation("running", identity, None, beat)
    started = attempt.supervisor.exists() or attempt.exit.exists()
    return Observation("gone" if started else "not_started", identity, None, beat)


def request_stop(attempt: AttemptFolder, now: bool = False) -> None:
    """Ask the attempt to end; with ``now`` without waiting for a checkpoint.

    May be called before the attempt starts (it then ends at once) and again with ``now`` later;
    a request is never weakened by a later one.

    Raises:
        LuthierError: the request cannot be written into the attempt's folder.
    """
    identity = SupervisorIdentity.read(attempt)
    poke = signal.SIGUSR1
    try:
        attempt.path.mkdir(parents=True, exist_ok=True)
        urgent = now or _asks_for_now(attempt.stop_request)
        _write(attempt.stop_request, {"now": urgent, "at": time.time()})
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise LuthierError(f"{attempt.stop_request}: {error.strerror}.") from error
        # An empty file needs no space, and the supervisor takes SIGTERM as "now".
        attempt.stop_request.touch()
        poke = signal.SIGTERM if now else signal.SIGUSR1
    if identity is not None and identity.is_alive():
        _send(identity.pid, poke)


def end_strays(run_id: str, attempt_number: int, *, grace_seconds: float = 3.0) -> list[int]:
    """End every process of this user that the attempt left behind; says which there were.

    SIGTERM first, SIGKILL after ``grace_seconds``. What the system still lists ``grace_seconds``
    later is stuck in the kernel and left to it.
    """
    strays = _Strays(f"{run_id}/{attempt_number}")
    strays.signal(signal.SIGTERM, signal.SIGCONT)
    deadline = time.monotonic() + grace_seconds
    while strays.look() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    deadline = time.monotonic() + grace_seconds
    while strays.signal(signal.SIGKILL) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return sorted(process.pid for process in strays.seen)


class _Strays:
    """The processes of one attempt, each followed to its end even where it loses its parent."""

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self.seen: set[ProcessIdentity] = set()

    def look(self) -> list[ProcessIdentity]:
        """Those that live."""
        self.seen.update(marked_processes(self._marker))
        return [process for process in self.seen if process.is_alive()]

    def signal(self, *numbers: signal.Signals) -> bool:
        """Send the signals, in order, to each that lives; whether there was any."""
        living = self.look()
        for process in living:
            for number in numbers:
                _send(process.pid, number)
        return bool(living)


def _run_supervisor(attempt: AttemptFolder) -> None:
    environment = {name: value for name, value in os.environ.items() if name != MARKER}
    command = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(attempt.path)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        # Should it come up after all, it finds the request and ends at once.
        request_stop(attempt, now=True)
        raise LuthierError(
            f"{attempt.path}: the supervisor did not answer within {_START_SECONDS:.0f} seconds.",
            hint="The machine may be overloaded; try again.",
        ) from error
    if done.returncode not in (0, ALREADY_STARTED):
        reason = done.stderr.decode(errors="replace").strip() or f"code {done.returncode}"
        reason = re.sub(r"\[Errno \d+\] ", "", reason)
        raise LuthierError(f"{attempt.path}: the start failed: {reason}.")


def _read(model: type[_Model], path: Path) -> _Model | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _asks_for_now(path: Path) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("now") is True


def _write(path: Path, value: Mapping[str, Any]) -> None:
    # Two clients may ask at once, so each writer has a file of its own.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
