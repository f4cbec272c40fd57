"""What the run manager asks of a host, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from luthier.presets.memory import Price
from luthier.trainers.run_folder import AttemptFolder, RunFolder

from ..launching import Observation
from ..models import Device, HardwareSample, HostReport

Tell = Callable[[str], None]
"""Says what is being done, in a few words."""


class Host(ABC):
    """A place where runs execute. Every method may block; call it in a thread.

    Methods that need the host raise HostUnreachableError while there is no way to it; the same
    call may be made again, it does nothing twice.
    """

    name: str

    @property
    def unreachable_since(self) -> float | None:
        """Unix time since when there is no way to it; None while there is, or nobody has asked."""
        return None

    @property
    def connected(self) -> bool:
        """Whether there is a way to it right now, as far as is known."""
        return True

    @property
    def trouble(self) -> str:
        """Why it is unreachable, a sentence."""
        return ""

    @property
    def needs_person(self) -> bool:
        """Whether it is unreachable until a person decides or types something."""
        return False

    @property
    def price(self) -> Price | None:
        """What its devices cost; None where nobody pays by time."""
        return None

    @abstractmethod
    def devices(self) -> Sequence[Device]:
        """What runs may hold. Asked often, so it must not wait for a dead link."""

    @abstractmethod
    def report(self, leases: Mapping[str, Sequence[str]]) -> HostReport:
        """Everything about it now; ``leases`` are the runs that hold each device."""

    @abstractmethod
    def sample(self) -> HardwareSample | None:
        """What charts need; None when nothing new is known."""

    @abstractmethod
    def start(self, folder: RunFolder, number: int, devices: Sequence[str], tell: Tell) -> None:
        """Start an attempt; one that was started before is not started again.

        Raises:
            LuthierError: it cannot be started, with the reason; nothing of it runs or will run.
        """

    @abstractmethod
    def observe(self, attempt: AttemptFolder) -> Observation:
        """What is true of an attempt now. Once it has ended, its files here are complete."""

    @abstractmethod
    def stop(self, attempt: AttemptFolder, now: bool) -> None:
        """Ask an attempt to end; where there is no way to it, as soon as there is.

        Raises:
            LuthierError: the request cannot be written.
        """

    @abstractmethod
    def end_strays(self, run_id: str, number: int) -> None:
        """End every process that an attempt left behind."""

    @abstractmethod
    def collect(self, folder: RunFolder, tell: Tell) -> None:
        """Bring what an ended attempt has made into the run folder here."""

    @abstractmethod
    def forget(self, attempt: AttemptFolder) -> None:
        """An attempt has ended and is looked at no more."""

    @abstractmethod
    def remove(self, folder: RunFolder) -> None:
        """Delete what lies there of a run whose folder here is deleted next."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; what runs there goes on."""
