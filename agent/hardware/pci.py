"""Which cards are plugged in, whether or not their drivers are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PCI_FOLDER = Path("/sys/bus/pci/devices")
_DISPLAY = 0x03


@dataclass(frozen=True)
class PciCard:
    """One function on the PCI bus. ``kind`` is the upper byte of its class."""

    vendor: int
    device: int
    kind: int

    @property
    def displays(self) -> bool:
        """Whether it is a graphics or 3D controller."""
        return self.kind == _DISPLAY


def pci_cards(folder: Path = PCI_FOLDER) -> list[PciCard]:
    """The cards that the kernel lists; none where there is no PCI bus."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [card for entry in entries if (card := _read(entry))]


def _read(entry: Path) -> PciCard | None:
    try:
        vendor, device, kind = (
            int((entry / name).read_text(), 16) for name in ("vendor", "device", "class")
        )
    except (OSError, ValueError):
        return None
    return PciCard(vendor, device, kind >> 16)
