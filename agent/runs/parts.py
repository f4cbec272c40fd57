"""What the parts of the run manager share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from luthier.trainers.run_folder import RunFolder

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
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def lock(self, run_id: str) -> asyncio.Lock:
        """Held by whoever decides over the run: start, stop, resume, remove, end."""
        return self._locks.setdefault(run_id, asyncio.Lock())

    def folder(self, run_id: str) -> RunFolder:
        """The run's folder."""
        return self.home.run(run_id)
