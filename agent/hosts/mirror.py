"""An attempt on another host as files here: what is here is the beginning of what is there.

The size of a file here is where the next piece of it begins, so whatever is killed whenever, each
byte is here once. The report of the end is written last.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from luthier.trainers.errors import LuthierError
from luthier.trainers.run_folder import AttemptFolder, RunFolder, write_json

from ..launching import ExitReport, Observation, SupervisorIdentity
from .errors import HostError
from .far.wire import Frame

PLACE = "host.json"
"""In an attempt's folder: where the attempt is on its host."""

_STATES = ("not_started", "running", "ended", "gone")


class Mirror:
    """One attempt. ``take`` is called by the link's thread, the others by anybody.

    Args:
        attempt: its folder here.
        key: its name on the wire.
        folder: its folder there.
    """

    def __init__(self, attempt: AttemptFolder, key: str, folder: str) -> None:
        self._attempt = attempt
        self._key = key
        self._folder = folder
        self._lock = threading.Lock()
        self._observation = Observation("unknown")

    def observation(self) -> Observation:
        """What was last told of it; ``unknown`` before anything was."""
        with self._lock:
            return self._observation

    def wish(self) -> Frame:
        """What to follow, from where we are, and that it shall stop when somebody said so."""
        files = (self._attempt.events, self._attempt.output)
        return {
            "key": self._key,
            "folder": self._folder,
            "offsets": {path.name: _size(path) for path in files},
            "stop": read_json(self._attempt.stop_request)
            or ({"now": False} if self._attempt.stop_request.exists() else None),
        }

    def take(self, frame: Frame, body: bytes) -> None:
        """Take in a piece or a state. Raises OSError when the disk does not take it."""
        if frame["push"] == "piece":
            self._append(frame["file"], frame["offset"], body)
        elif frame["push"] == "state" and frame["state"] in _STATES:
            self._note(frame)

    def _append(self, name: str, offset: int, body: bytes) -> None:
        path = self._path(name)
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            if offset > size:
                raise OSError(f"{name}: a piece at {offset} came after {size} bytes")
            rest = memoryview(body)[size - offset :]
            while rest:
                rest = rest[file.write(rest) :]

    def _note(self, frame: Frame) -> None:
        identity = _parsed(SupervisorIdentity, frame["supervisor"])
        report = _parsed(ExitReport, frame["exit"])
        if identity is not None and frame["supervisor"] != read_json(self._attempt.supervisor):
            write_json(self._attempt.supervisor, frame["supervisor"])
        if frame["state"] == "ended" and report is not None:
            write_json(self._attempt.exit, frame["exit"])
        beat = frame.get("heartbeat")
        with self._lock:
            self._observation = Observation(frame["state"], identity, report, beat)

    def _path(self, name: str) -> Path:
        if name not in (self._attempt.events.name, self._attempt.output.name):
            raise OSError(f"{name!r} is not followed")
        return self._attempt.path / name


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in that file; None when there is none or it is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read_place(attempt: AttemptFolder) -> dict[str, Any] | None:
    """Where an attempt is on another host: host, folder of the run, paths; None for one here."""
    return read_json(attempt.path / PLACE)


def has_place(attempt: AttemptFolder) -> bool:
    """Whether something of the attempt may be on another host already."""
    return (attempt.path / PLACE).exists()


def write_place(attempt: AttemptFolder, place: dict[str, Any]) -> None:
    """Note where an attempt will be. Raises LuthierError when the disk does not take it."""
    try:
        attempt.path.mkdir(parents=True, exist_ok=True)
        write_json(attempt.path / PLACE, place)
    except OSError as error:
        raise LuthierError(f"{attempt.path}: the start failed: {error.strerror}.") from error


def place_of(folder: RunFolder) -> str:
    """The run's folder on its host. Raises HostError where it has none."""
    for attempt in reversed(folder.attempts()):
        place = read_place(attempt)
        if place is not None:
            return str(place["folder"])
    raise HostError(f"Run {folder.run_id} has nothing on another host.")


def _parsed(model: Any, value: Any) -> Any:
    return model.model_validate(value) if isinstance(value, dict) else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
