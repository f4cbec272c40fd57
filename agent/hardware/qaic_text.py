"""What ``qaic-util -q`` prints, read with tolerance.

The tool is closed, its output has changed over the years (sizes in KB or MB, names in other
letter case), and a card in error prints only a part; so every field is optional. Its JSON output
is not used: the names of most of its fields are documented nowhere.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

_HEAD = re.compile(r"\s*QID\s*:?\s*([0-9]{1,6})\s*", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)I?B?", re.ASCII | re.IGNORECASE)
_FACTORS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_LARGEST = 2**60


@dataclass(frozen=True)
class QaicCard:
    """One device (an SoC; a card may have several), as far as the tool told.

    Memory is in bytes, power in watts, temperature in degrees Celsius. Board values repeat on
    every device of the same board.
    """

    qid: int
    fields: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A field as it was printed; names are compared without letter case."""
        return self.fields.get(name.casefold()) or None

    def number(self, name: str) -> float | None:
        """A field that starts with a plain number."""
        found = _NUMBER.match(self.text(name) or "")
        value = float(found[0]) if found else math.inf
        return value if value <= _LARGEST else None

    def count(self, name: str) -> int | None:
        """A field that is a whole number."""
        value = self.number(name)
        return int(value) if value is not None and value.is_integer() else None

    def size(self, name: str) -> int | None:
        """A field that is a size, in bytes."""
        found = _SIZE.fullmatch(self.text(name) or "")
        value = float(found[1]) * _FACTORS[found[2].upper()] if found else math.inf
        return int(value) if value <= _LARGEST else None

    @property
    def status(self) -> str:
        """Initializing, Ready, Error or Unknown."""
        return self.text("Status") or "Unknown"

    @property
    def ready(self) -> bool:
        """Whether it can be used."""
        return self.status.casefold() == "ready"

    @property
    def memory_total(self) -> int | None:
        """Memory of the device."""
        return self.size("Dram Total")

    @property
    def memory_used(self) -> int | None:
        """How much of it is taken."""
        return _less(self.memory_total, self.size("Dram Free"))

    @property
    def utilisation(self) -> float | None:
        """Percent of its cores (NSPs) that are taken; the tool tells of no other utilisation."""
        total = self.count("Nsp Total")
        used = _less(total, self.count("Nsp Free"))
        return None if used is None or not total else 100.0 * used / total

    @property
    def board(self) -> str | None:
        """Serial number of the board."""
        return self.text("Board serial")

    @property
    def board_power(self) -> float | None:
        """Power that the whole board draws."""
        return self.number("Board power(Watts)")

    @property
    def board_power_limit(self) -> float | None:
        """Power that the whole board may draw."""
        return self.number("Board TDP Cap(Watts)")


def parse_query(text: str) -> list[QaicCard]:
    """The devices, by QID; whatever cannot be understood is passed over."""
    found: dict[int, dict[str, str]] = {}
    fields: dict[str, str] = {}
    for line in text.splitlines():
        head = _HEAD.fullmatch(line)
        if head:
            fields = found.setdefault(int(head[1]), {})
            continue
        name, separator, value = line.partition(":")
        if separator:
            fields[name.strip().casefold()] = value.strip()
    return [QaicCard(qid, found[qid]) for qid in sorted(found)]


def _less(total: int | None, free: int | None) -> int | None:
    if total is None or free is None or free > total:
        return None
    return total - free
