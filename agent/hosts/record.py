"""What the agent knows of a host for good: one file each, without any secret."""

from __future__ import annotations

import threading
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from luthier.trainers.run_folder import write_json

from .errors import HostError
from .hashes import Hashes

DEFAULT_FOLDER = "~/.luthier"


class HostRecord(BaseModel):
    """One host. Replaced as a whole on each change, never changed in place.

    Attributes:
        target: what the person wrote, ``user@address:port`` or a name in ``~/.ssh/config``.
        folder: where everything of ours lies there; ``~/`` may begin it.
        python: the Python that trains; empty until ``setup``.
        helper: the Python that the far end was found to run with.
        offline: whether the host has no way to the hub.
        cpu_slots: runs that may use its CPU at once.
        price_per_hour: what an hour of one of its devices costs; None where nobody pays by time.
        currency: of that price, such as EUR.
        worker_command: runs a worker there, such as another program for tests; the run folder
            and the attempt's number are appended.
        added_at: Unix seconds.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    target: str
    folder: str = DEFAULT_FOLDER
    python: str = ""
    helper: str = ""
    offline: bool = False
    cpu_slots: int = 1
    price_per_hour: float | None = None
    currency: str = "USD"
    worker_command: list[str] = []
    added_at: float = 0.0


class HostFile:
    """The folder of host records. May be shared by threads.

    Attributes:
        hashes: of files that were sent, so that they are read once, to whatever host they go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.hashes = Hashes(folder / "hashes.json")

    @property
    def known_hosts(self) -> Path:
        """Host keys that were accepted here."""
        return self._folder / "known_hosts"

    def load(self) -> tuple[dict[str, HostRecord], list[str]]:
        """The records by name, and what is wrong with those that cannot be read."""
        found: dict[str, HostRecord] = {}
        problems = []
        for path in sorted(self._folder.glob("*.host.json")):
            try:
                record = HostRecord.model_validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                problems.append(f"{path}: not a host's record: {str(error).splitlines()[0]}.")
            else:
                found[record.name] = record
        return found, problems

    def save(self, record: HostRecord) -> None:
        """Write a record. Raises HostError when the disk does not take it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._lock:
                write_json(self._path(record.name), record.model_dump(mode="json"))
        except OSError as error:
            raise HostError(f"{self._path(record.name)}: {error.strerror}.") from error

    def delete(self, name: str) -> None:
        """Forget a host."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.host.json"
