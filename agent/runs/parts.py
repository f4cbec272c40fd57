"""What the parts of the run manager share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from luthier.trainers.run_folder import RunFolder

from ..hosts.host import Host
from ..hosts.hosts import Hosts
from ..leasing import Leases
from ..paths import Home
from ..problems import Problems
from ..settings import Settings
from ..store import Store
from .book import RunBook


@dataclass
class Parts:
    """One agent's runs: where they are, what is known of them, and who decides over each."""

    home: Home
    settings: Settings
    store: Store
    book: RunBook
    problems: Problems
    hosts: Hosts
    leases: Leases
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def lock(self, run_id: str) -> asyncio.Lock:
        """Held by whoever decides over the run: start, stop, resume, remove, end."""
        return self._locks.setdefault(run_id, asyncio.Lock())

    def folder(self, run_id: str) -> RunFolder:
        """The run's folder."""
        return self.home.run(run_id)

    def host(self, run_id: str) -> Host:
        """The host of a run, which may be another object each time."""
        return self.hosts.get(self.book.records[run_id].host)

    def note_phase(self, run_id: str, doing: str) -> None:
        """Say what is being done for a run, as the phase that it is in."""
        record = self.book.records.get(run_id)
        if record is not None and record.state.active:
            self.book.note(record.model_copy(update={"phase": doing}))

    def note_link(self, run_id: str) -> None:
        """Take the state of the link to a run's host into the run's record."""
        record = self.book.records.get(run_id)
        if record is None:
            return
        host = self.hosts.get(record.host)
        since = host.unreachable_since
        if since is None and not host.connected:
            # A new agent has not tried yet; what the one before knew still counts.
            return
        if since is not None and record.unreachable_since is not None:
            since = min(since, record.unreachable_since)
        changes = {
            "unreachable_since": since,
            "needs_person": since is not None and host.needs_person,
        }
        if any(getattr(record, name) != value for name, value in changes.items()):
            self.book.note(record.model_copy(update=changes))
