"""Stands over one attempt of a run until the last of its processes has ended.

    python -I -S supervisor.py ATTEMPT_FOLDER

One file, standard library only, Python 3.8 or newer, so that it runs on any host it is copied to.
It detaches itself and returns once the worker is started: exit code 0, or 1 (3 when the attempt
was started before) and the reason on standard error. In the folder it reads launch.json, stop and
restart.json, and writes supervisor.json, heartbeat, output.log and, last, exit.json; the other end,
`luthier.agent.launching`, documents their fields.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

MARKER = "LUTHIER_ATTEMPT"
ALREADY_STARTED = 3

ASK, TERMINATE, KILL = "ask", "terminate", "kill"
_RUNGS = (None, ASK, TERMINATE, KILL)
_WAKING = {signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
_TICK_SECONDS = 1.0
_KILL_SECONDS = 30.0  # A process that outlives SIGKILL this long hangs in the kernel.
_RECENT_SECONDS = 60.0  # torchrun takes up to 30 s to end after one of its ranks was killed.
_RECORD_TRIES = 60
_RESERVE_BYTES = 4096
_LONGEST_ERROR = 500  # Characters; JSON needs up to six bytes for one.
_STARTED, _ALREADY = "started", "it was started already"
_PR_SET_CHILD_SUBREAPER = 36  # From linux/prctl.h.
_COUNTING = r"0::|\d+:([^:]+,)?memory[,:]"  # Lines of /proc/PID/cgroup.


class Process(NamedTuple):
    """A living process. ``start_time`` is in clock ticks since the boot."""

    pid: int
    parent: int
    start_time: int


def boot_id() -> str:
    """What tells this boot of the machine from all others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def read_process(pid: int) -> Process | None:
    """The living process that has this pid now; a zombie is none."""
    try:
        data = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name in parentheses may hold anything, parentheses and spaces too.
    fields = data[data.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return Process(pid, int(fields[1]), int(fields[19]))


def attempt_processes(marker: str, root: int = -1) -> list[Process]:
    """The living processes whose environment has ``LUTHIER_ATTEMPT=marker``, as far as we may
    read it, and all below them or below ``root``."""
    processes, pids = [], {root}
    for process in filter(None, (read_process(int(n)) for n in os.listdir("/proc") if n.isdigit())):
        processes.append(process)
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            if f"{MARKER}={marker}".encode() in environment:
                pids.add(process.pid)
    known = 0
    while known < len(pids):
        known = len(pids)
        pids |= {process.pid for process in processes if process.parent in pids}
    return [process for process in processes if process.pid in pids - {root}]


class Ladder:
    """The stop ladder: which rung is reached, and when the next one is due. It only goes up."""

    def __init__(self, ask: float, terminate: float) -> None:
        self.rung: str | None = None
        self.deadline = float("inf")
        self._seconds = {ASK: ask, TERMINATE: terminate, KILL: _KILL_SECONDS}

    def climb(self, rung: str) -> None:
        """Go up to that rung; no change when it is reached already."""
        if _RUNGS.index(rung) > _RUNGS.index(self.rung):
            self.rung = rung
            self.deadline = time.monotonic() + self._seconds[rung]

    def step(self) -> bool:
        """Go up one rung when the deadline has passed; whether there is none left to go to."""
        if time.monotonic() < self.deadline:
            return False
        exhausted = self.rung == KILL
        self.climb(TERMINATE if self.rung == ASK else KILL)
        return exhausted


class Tree:
    """The worker and every process below it, found by descent (orphans are handed to us) and by
    the marker; by process group would not do, since torchrun's workers leave it."""

    def __init__(self, launch: SimpleNamespace) -> None:
        self._launch = launch
        self._marker = f"{launch.run_id}/{launch.attempt}"
        self.worker_pid = 0
        self.status: int | None = None

    def start(self) -> None:
        """Start the worker. Raises OSError, SubprocessError or ValueError when it cannot be."""
        self.worker_pid, self.status = 0, None
        worker = subprocess.Popen(
            self._launch.argv,
            cwd=self._launch.cwd,
            env={**os.environ, **self._launch.environment, MARKER: self._marker},
            start_new_session=True,
            preexec_fn=self._prepare,
        )
        worker.returncode = 0  # Its end is collected by `reap`, never by subprocess.
        self.worker_pid = worker.pid

    def reap(self) -> None:
        """Collect the exit status of every child that has ended."""
        pid = -1
        with contextlib.suppress(ChildProcessError):
            while pid != 0:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self.worker_pid:
                    self.status = status

    def members(self) -> list[int]:
        """Pids of the living processes."""
        return [process.pid for process in attempt_processes(self._marker, os.getpid())]

    def signal(self, *numbers: int) -> None:
        """Send the signals, in order, to every member."""
        for pid in self.members():
            for number in numbers:
                # Gone meanwhile, or another user's: whether it lives on is looked at again.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)

    def _prepare(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in (*_WAKING, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        limit = self._launch.memory_limit_bytes
        if limit is not None:
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def memory_kills() -> int:
    """How many processes the out-of-memory killer ended in our control group, or on the host."""
    groups = [""]  # In a container ours may be mounted at the root of what is visible.
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
        groups[:0] = [line.split(":", 2)[2] for line in lines if re.match(_COUNTING, line)]
    paths = [f"/sys/fs/cgroup/memory{group}/memory.oom_control" for group in groups]
    paths += [f"/sys/fs/cgroup{group}/memory.events" for group in groups]
    for path in (*paths, "/proc/vmstat"):
        with contextlib.suppress(OSError):
            count = re.search(r"^oom_kill (\d+)$", Path(path).read_text("ascii"), re.MULTILINE)
            if count:
                return int(count[1])
    return 0


class Supervisor:
    """Runs one attempt to its end. Signals are taken by sigtimedwait, so they need no handlers."""

    def __init__(self, folder: Path, launch: SimpleNamespace) -> None:
        self._folder = folder
        self._launch = launch
        self._tree = Tree(launch)
        self._ladder = Ladder(launch.ask_seconds, launch.terminate_seconds)
        self._stopping = False
        self._memory_kills = memory_kills()
        self._memory_kill_at = self._next_beat = float("-inf")
        self._began = time.time()
        self.report: dict[str, Any] = dict.fromkeys(("code", "signal", "stopped_by", "error"))
        self.report.update(restarts=0, out_of_memory_killed=False)

    def begin(self) -> None:
        """Write who we are and start the worker, unless a stop is asked for already."""
        self._write_identity()
        self._look_for_stop()
        self.report["stopped_by"] = self._ladder.rung
        if not self._stopping:
            self._start()

    def stay(self) -> None:
        """Return when all has ended; the worker is started again when it asks for that."""
        while self._tree.worker_pid:
            self._stand_by()
            if not self._take_restart():
                return
            self._start()

    def guard(self, step: Callable[[], None]) -> None:
        """Carry out begin or stay; should it fail, report that and end the tree."""
        try:
            step()
        except Exception as error:
            traceback.print_exc()
            self.report["error"] = f"the supervisor failed: {error!r}"
            if self._tree.worker_pid:
                self._ladder.climb(KILL)
                self._stand_by()

    def _start(self) -> None:
        try:
            self._tree.start()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self.report["code"] = self.report["signal"] = None
            self.report["error"] = f"the worker cannot be started: {error}"
        self._write_identity()

    def _stand_by(self) -> None:
        """Climb the ladder as asked; returns when worker and tree have ended."""
        noted = terminated = False
        while True:
            self._wait()
            self._tree.reap()
            self._look_for_stop()
            if self._tree.status is not None and not noted:
                self._note_end(self._tree.status)
                noted = True
            self._beat()
            if noted:
                if not self._tree.members():
                    return
                self._ladder.climb(TERMINATE)  # What the worker left behind.
            if self._ladder.step():
                self.report["error"] = f"processes {self._tree.members()} did not end on SIGKILL"
                return
            if self._ladder.rung == KILL:
                self._tree.signal(signal.SIGKILL)
            elif self._ladder.rung == TERMINATE and not terminated:
                self._tree.signal(signal.SIGTERM, signal.SIGCONT)
                terminated = True

    def _wait(self) -> None:
        """Sleep until a signal, a tick or the ladder's deadline."""
        left = min(_TICK_SECONDS, self._ladder.deadline - time.monotonic())
        woken = signal.sigtimedwait(_WAKING, max(0.0, left))
        if woken is not None and woken.si_signo == signal.SIGTERM:
            self._stopping = True
            self._ladder.climb(TERMINATE)
        before, self._memory_kills = self._memory_kills, memory_kills()
        if self._memory_kills > before:
            self._memory_kill_at = time.monotonic()

    def _note_end(self, status: int) -> None:
        killed = os.WIFSIGNALED(status)
        self.report["signal"] = os.WTERMSIG(status) if killed else None
        self.report["code"] = None if killed else os.WEXITSTATUS(status)
        self.report["stopped_by"] = self._ladder.rung
        recent = time.monotonic() - self._memory_kill_at < _RECENT_SECONDS
        self.report["out_of_memory_killed"] = recent and status != 0 and self._ladder.rung != KILL

    def _look_for_stop(self) -> None:
        try:
            request = json.loads((self._folder / "stop").read_bytes())
        except OSError:
            return
        except ValueError:
            request = None  # Empty on a full disk: that the file exists is the request.
        self._stopping = True
        now = isinstance(request, dict) and request.get("now") is True
        self._ladder.climb(TERMINATE if now else ASK)

    def _beat(self) -> None:
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + self._launch.heartbeat_seconds
            # A file system that hiccups must not end the run; a missed beat shows by itself.
            with contextlib.suppress(OSError):
                (self._folder / "heartbeat").touch()

    def _take_restart(self) -> bool:
        """Whether the worker asked to be started again and may be; puts the request aside."""
        request = self._folder / "restart.json"
        used_up = self.report["restarts"] >= self._launch.restarts
        if self._stopping or self.report["error"] or used_up or not request.exists():
            return False
        self.report["restarts"] += 1
        request.rename(self._folder / f"restart-{self.report['restarts']}.json")
        self._ladder = Ladder(self._launch.ask_seconds, self._launch.terminate_seconds)
        return True

    def _write_identity(self) -> None:
        own = read_process(os.getpid()) or Process(os.getpid(), 0, 0)
        identity = {"pid": own.pid, "start_time": own.start_time, "boot_id": boot_id()}
        identity.update(run_id=self._launch.run_id, attempt=self._launch.attempt)
        identity.update(started_at=self._began, worker_pid=self._tree.worker_pid or None)
        temporary = self._folder / "supervisor.json.new"
        temporary.write_text(json.dumps(identity), "utf-8")
        temporary.replace(self._folder / "supervisor.json")


def prepare(folder: Path) -> SimpleNamespace:
    """Make the attempt ours, read what to launch, and point our output to its log."""
    reserve = folder / "exit.json.reserve"
    try:
        file = reserve.open("xb")  # One of many wins.
    except FileExistsError:
        raise ValueError(_ALREADY) from None
    try:
        with file:  # So that a full disk can still take the end.
            file.write(b" " * _RESERVE_BYTES)
            file.flush()
            os.fsync(file.fileno())
        if (folder / "supervisor.json").exists():
            raise ValueError(_ALREADY)
        launch = SimpleNamespace(**json.loads((folder / "launch.json").read_bytes()))
        log = os.open(folder / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except BaseException:
        reserve.unlink()
        raise
    for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    return launch


def record(folder: Path, report: dict[str, Any]) -> bool:
    """Write exit.json into the space kept for it; whether that worked."""
    reserve = folder / "exit.json.reserve"
    try:
        disk = os.statvfs(folder)
        report.update(ended_at=time.time(), disk_free=disk.f_bavail * disk.f_frsize)
        report["error"] = report["error"] and report["error"][:_LONGEST_ERROR]
        with reserve.open("r+b", buffering=0) as file:
            file.write(json.dumps(report).encode())
            file.truncate()
            os.fsync(file.fileno())
        reserve.rename(folder / "exit.json")
    except OSError:
        traceback.print_exc()
        return False
    return True


def serve(folder: Path, answer: int) -> None:
    """Be the supervisor; through ``answer`` the starting process is told how the start went."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAKING)
    os.umask(0o077)
    with contextlib.suppress(ImportError, OSError, AttributeError):  # Not on every platform.
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        supervisor = Supervisor(folder, prepare(folder))
    except (OSError, AttributeError, TypeError, ValueError) as error:
        os.write(answer, str(error).encode())
        return
    supervisor.guard(supervisor.begin)
    os.write(answer, (supervisor.report["error"] or _STARTED).encode())
    os.close(answer)
    supervisor.guard(supervisor.stay)
    for _ in range(_RECORD_TRIES):
        if record(folder, supervisor.report):
            break
        time.sleep(_TICK_SECONDS)


def main(arguments: list[str]) -> int:
    """Start a supervisor for the folder named first; the exit code."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            serve(Path(arguments[0]).absolute(), writer)
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        answer = pipe.read() or "the supervisor ended before it started the worker"
    if answer != _STARTED:
        print(answer, file=sys.stderr)
    return {_STARTED: 0, _ALREADY: ALREADY_STARTED}.get(answer, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
