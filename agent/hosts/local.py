"""The agent's own host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from luthier.presets.memory import Price
from luthier.trainers.run_folder import AttemptFolder, RunFolder
from luthier.trainers.spec.file import load_spec

from ..hardware.monitor import HardwareMonitor
from ..launching import Observation, end_strays, observe, request_stop, start_attempt
from ..models import Device, HardwareSample, HostReport
from ..runs.plan import launch_plan
from ..settings import Settings
from .host import Host, Tell

LOCAL = "local"


class LocalHost(Host):
    """Runs are processes of this machine."""

    name = LOCAL

    def __init__(self, settings: Settings, monitor: HardwareMonitor) -> None:
        self._settings = settings
        self._monitor = monitor

    @property
    def price(self) -> Price | None:
        """See Host."""
        hour = self._settings.price_per_hour
        return None if hour is None else Price(hour, self._settings.currency)

    def devices(self) -> Sequence[Device]:
        """See Host."""
        return self._monitor.devices()

    def report(self, leases: Mapping[str, Sequence[str]]) -> HostReport:
        """See Host."""
        return self._monitor.report(leases, self._settings.cpu_slots)

    def sample(self) -> HardwareSample | None:
        """See Host."""
        return self._monitor.sample()

    def start(self, folder: RunFolder, number: int, devices: Sequence[str], tell: Tell) -> None:
        """See Host."""
        launch = load_spec(folder.spec).launch
        plan = launch_plan(self._settings, folder, number, launch, devices)
        start_attempt(folder.attempt(number), plan)

    def observe(self, attempt: AttemptFolder) -> Observation:
        """See Host."""
        return observe(attempt)

    def stop(self, attempt: AttemptFolder, now: bool) -> None:
        """See Host."""
        request_stop(attempt, now)

    def end_strays(self, run_id: str, number: int) -> None:
        """See Host."""
        end_strays(run_id, number)

    def collect(self, folder: RunFolder, tell: Tell) -> None:
        """See Host. Everything is here."""

    def forget(self, attempt: AttemptFolder) -> None:
        """See Host. Nothing is kept of it."""

    def remove(self, folder: RunFolder) -> None:
        """See Host. There is nothing but the folder."""

    def close(self) -> None:
        """See Host."""
