"""A host that is named by runs but is not known (any more)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

from luthier.trainers.run_folder import AttemptFolder, RunFolder

from ..launching import ExitReport, Observation, SupervisorIdentity, request_stop
from ..models import Device, HardwareSample, HostReport
from .errors import HostUnreachableError
from .host import Host, Tell


class MissingHost(Host):
    """Unreachable until somebody adds a host of that name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._since = time.time()

    @property
    def unreachable_since(self) -> float | None:
        """See Host."""
        return self._since

    @property
    def connected(self) -> bool:
        """See Host."""
        return False

    @property
    def trouble(self) -> str:
        """See Host."""
        return f"There is no host {self.name}. Add it with: luthier host add {self.name}"

    def _refuse(self) -> NoReturn:
        raise HostUnreachableError(self.trouble)

    def devices(self) -> Sequence[Device]:
        """See Host."""
        self._refuse()

    def report(self, leases: Mapping[str, Sequence[str]]) -> HostReport:
        """See Host."""
        self._refuse()

    def sample(self) -> HardwareSample | None:
        """See Host."""
        return None

    def start(self, folder: RunFolder, number: int, devices: Sequence[str], tell: Tell) -> None:
        """See Host."""
        self._refuse()

    def observe(self, attempt: AttemptFolder) -> Observation:
        """See Host."""
        report = ExitReport.read(attempt)
        if report is not None:
            return Observation("ended", SupervisorIdentity.read(attempt), report, None)
        return Observation("unknown")

    def stop(self, attempt: AttemptFolder, now: bool) -> None:
        """See Host."""
        request_stop(attempt, now)

    def end_strays(self, run_id: str, number: int) -> None:
        """See Host."""
        self._refuse()

    def collect(self, folder: RunFolder, tell: Tell) -> None:
        """See Host."""
        self._refuse()

    def forget(self, attempt: AttemptFolder) -> None:
        """See Host."""

    def remove(self, folder: RunFolder) -> None:
        """See Host. What lies there is out of reach for good; the folder here may go."""

    def close(self) -> None:
        """See Host."""
