"""Attempts on this host: started, watched, stopped and cleared away."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from ...supervisor import ALREADY_STARTED, MARKER, attempt_processes, boot_id, read_process
from .wire import Frame, Wire

TICK_SECONDS = 0.1
_PIECE_BYTES = 256 * 1024
_BEAT_SECONDS = 2.0
_START_SECONDS = 120.0
_GROWING = ("events.jsonl", "output.log")


def read_json(path: str) -> Any:
    """The value in that file; None when there is none or it is damaged."""
    try:
        with open(path, "rb") as file:
            return json.loads(file.read())
    except (OSError, ValueError):
        return None


def write_json(path: str, value: Any, mode: int = 0o600) -> None:
    """Put a value into place, so that readers see all of it or nothing."""
    temporary = f"{path}.{os.getpid()}.new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def is_alive(identity: Any) -> bool:
    """Whether the very supervisor lives that wrote this supervisor.json."""
    if not isinstance(identity, dict) or identity.get("boot_id") != boot_id():
        return False
    process = read_process(int(identity.get("pid", 0)))
    return process is not None and process.start_time == identity.get("start_time")


def start(request: Frame) -> Frame:
    """Start the supervisor of an attempt, which may have been started already.

    ``secrets`` go into its environment and nowhere else.
    """
    folder = request["folder"]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    launch = os.path.join(folder, "launch.json")
    if not os.path.exists(launch):
        write_json(launch, request["launch"])
    environment = {name: value for name, value in os.environ.items() if name != MARKER}
    environment.update(request.get("secrets") or {})
    command = [sys.executable, "-I", "-S", request["supervisor"], folder]
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=_START_SECONDS,
        check=False,
    )
    if done.returncode not in (0, ALREADY_STARTED):
        said = done.stderr.decode(errors="replace").strip()
        raise OSError(said or f"the supervisor ended with code {done.returncode}")
    return {}


def stop(request: Frame) -> Frame:
    """Ask an attempt to end; a request is never weakened by a later one."""
    folder = request["folder"]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, "stop")
    before = read_json(path)
    now = bool(request["now"]) or (isinstance(before, dict) and before.get("now") is True)
    poke = signal.SIGUSR1
    try:
        write_json(path, {"now": now, "at": time.time()})
    except OSError:
        # An empty file needs no space, and the supervisor takes SIGTERM as "now".
        with open(path, "a"):
            pass
        poke = signal.SIGTERM if now else signal.SIGUSR1
    identity = read_json(os.path.join(folder, "supervisor.json"))
    if is_alive(identity):
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity["pid"], poke)
    return {}


def end_strays(request: Frame) -> Frame:
    """End what an attempt left behind: SIGTERM, and SIGKILL some seconds later."""
    marker, seconds = request["marker"], float(request.get("seconds", 3.0))
    seen = {}
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + seconds
        told = set()
        while True:
            for process in attempt_processes(marker):
                if process.pid != os.getpid():
                    seen[process.pid] = process.start_time
            living = [pid for pid, began in seen.items() if _lives(pid, began)]
            if not living or time.monotonic() > deadline:
                break
            for pid in living:
                if pid not in told or number == signal.SIGKILL:
                    _kill(pid, number)
                    told.add(pid)
            time.sleep(0.02)
    return {"ended": sorted(seen)}


def _lives(pid: int, began: int) -> bool:
    process = read_process(pid)
    return process is not None and process.start_time == began


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
    except (ProcessLookupError, PermissionError):
        pass


class Watched:
    """One attempt that somebody follows: what of it was sent, and its last told state."""

    def __init__(self, request: Frame) -> None:
        self.key = request["key"]
        self.folder = request["folder"]
        self.offsets = dict.fromkeys(_GROWING, 0)
        self.offsets.update(request["offsets"])
        self._told = None  # type: Any
        self._beat_at = float("-inf")

    def look(self, wire: Wire) -> bool:
        """Send what is new; whether the end was told, after which nothing more comes."""
        state, report = self._state()
        more = False
        for name in _GROWING:
            more = self._send_piece(wire, name) or more
        ended = state in ("ended", "gone")
        if ended and more:
            return False
        now = time.monotonic()
        identity = read_json(os.path.join(self.folder, "supervisor.json"))
        told = (state, identity)
        if told != self._told or now - self._beat_at >= _BEAT_SECONDS:
            self._told, self._beat_at = told, now
            frame = {"push": "state", "key": self.key, "state": state, "supervisor": identity}
            wire.send(dict(frame, exit=report, heartbeat=self._heartbeat()))
        return ended

    def _state(self) -> Any:
        """The state, and the report of an attempt that has ended.

        First whether the supervisor lives, then its report: it writes that before it ends.
        """
        supervisor = os.path.join(self.folder, "supervisor.json")
        alive = is_alive(read_json(supervisor))
        report = read_json(os.path.join(self.folder, "exit.json"))
        if report is not None:
            return "ended", report
        if alive:
            return "running", None
        return ("gone" if os.path.exists(supervisor) else "not_started"), None

    def _send_piece(self, wire: Wire, name: str) -> bool:
        """Send a piece of a growing file; whether there is more of it already."""
        path, offset = os.path.join(self.folder, name), self.offsets[name]
        try:
            size = os.stat(path).st_size
            if size <= offset:
                return False
            with open(path, "rb") as file:
                file.seek(offset)
                piece = file.read(_PIECE_BYTES)
        except FileNotFoundError:
            return False
        wire.send({"push": "piece", "key": self.key, "file": name, "offset": offset}, piece)
        self.offsets[name] = offset + len(piece)
        return self.offsets[name] < size

    def _heartbeat(self) -> Any:
        try:
            return os.stat(os.path.join(self.folder, "heartbeat")).st_mtime
        except OSError:
            return None
