"""Every host of the agent, by name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..hardware.monitor import HardwareMonitor
from ..settings import Settings
from .errors import HostError
from .host import Host
from .local import LOCAL, LocalHost
from .missing import MissingHost
from .record import DEFAULT_FOLDER, HostFile, HostRecord
from .ssh_host import SshHost
from .target import check_name, parse_target


class Hosts:
    """The local host, and those that were added. May be used from any thread.

    Args:
        folder: where records and host keys are kept.
        settings: the agent's.
        monitor: looks at the local hardware.

    Attributes:
        problems: records that could not be read.
        changed: called, in any thread, with the name of a host whose link came or went.
    """

    def __init__(self, folder: Path, settings: Settings, monitor: HardwareMonitor) -> None:
        self.changed: Callable[[str], None] = lambda name: None
        self._settings = settings
        self._files = HostFile(folder)
        self._local = LocalHost(settings, monitor)
        self._lock = threading.Lock()
        records, self.problems = self._files.load()
        self._others = {name: self._make(record) for name, record in records.items()}
        self._missing: dict[str, MissingHost] = {}

    def names(self) -> list[str]:
        """The names, the local host's first."""
        with self._lock:
            return [LOCAL, *sorted(self._others)]

    def get(self, name: str) -> Host:
        """The host of that name; one that is never reachable where there is none."""
        if name == LOCAL:
            return self._local
        with self._lock:
            found = self._others.get(name)
            return found or self._missing.setdefault(name, MissingHost(name))

    def known(self, name: str) -> SshHost:
        """The other host of that name.

        Raises:
            HostError: there is none.
        """
        if name == LOCAL:
            raise HostError(
                "local is this machine, which needs no connection.",
                hint="See how it is with: luthier doctor",
            )
        with self._lock:
            found = self._others.get(name)
        if found is None:
            others = ", ".join(self.names()[1:]) or "none"
            raise HostError(
                f"There is no host {name!r}; known: {others}.",
                hint="Add one with: luthier host add NAME user@address",
            )
        return found

    def add(
        self,
        name: str,
        target: str,
        *,
        folder: str | None = None,
        offline: bool | None = None,
        cpu_slots: int | None = None,
        price_per_hour: float | None = None,
        currency: str | None = None,
    ) -> SshHost:
        """Add a host, or change one; what is None stays. Nothing is connected yet.

        Raises:
            HostError: name, target or folder cannot be one, or the record cannot be written.
        """
        with self._lock:
            before = self._others.get(check_name(name))
        record = before.record if before else HostRecord(name=name, target="", added_at=time.time())
        changes: dict[str, object] = {"target": str(parse_target(target)), "helper": ""}
        given = {
            "folder": _checked(folder),
            "offline": offline,
            "cpu_slots": cpu_slots,
            "price_per_hour": price_per_hour,
            "currency": currency,
        }
        changes |= {key: value for key, value in given.items() if value is not None}
        return self._replace(record.model_copy(update=changes), before)

    def update(self, host: SshHost, **changes: object) -> None:
        """Note something about a host; its link stays. Raises HostError."""
        record = host.record.model_copy(update=changes)
        self._files.save(record)
        host.record = record

    def remove(self, name: str) -> None:
        """Forget a host. Raises HostError when there is none."""
        host = self.known(name)
        with self._lock:
            del self._others[name]
        self._files.delete(name)
        host.close()

    def close(self) -> None:
        """Let go of all hosts."""
        with self._lock:
            others = list(self._others.values())
        threads = [threading.Thread(target=host.close) for host in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _replace(self, record: HostRecord, before: SshHost | None) -> SshHost:
        self._files.save(record)
        host = self._make(record)
        if before is not None:
            host.secrets, host.accepted = before.secrets, before.accepted
        with self._lock:
            self._others[record.name] = host
            self._missing.pop(record.name, None)
        if before is not None:
            before.close()
        return host

    def _make(self, record: HostRecord) -> SshHost:
        return SshHost(record, self._files, self._settings, lambda: self.changed(record.name))


def _checked(folder: str | None) -> str | None:
    if folder is None:
        return None
    folder = folder.rstrip("/")
    if not folder.startswith(("/", "~/")) or "\n" in folder:
        raise HostError(
            f"{folder!r} cannot be the folder on the host.",
            hint=f"Give an absolute path, or one that begins with ~/, such as {DEFAULT_FOLDER}.",
        )
    return folder
