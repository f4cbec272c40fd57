"""What an estimate says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

GIB = 1024**3

Source = Literal["quick", "exact", "probe", "history"]


@dataclass(frozen=True, slots=True)
class Part:
    """One item of the bill.

    Attributes:
        key: ``weights``, ``adapter``, ``gradients``, ``optimizer``, ``activations``, ``loss``,
            ``temporary``, ``sharing`` or ``framework``.
        bytes: on one device, at the moment of the peak.
        why: one plain sentence.
    """

    key: str
    title: str
    bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much memory one device needs at the worst moment of a run.

    Attributes:
        parts: what adds up to ``total``.
        total: the best guess in bytes.
        low: lower end of the interval that should hold the truth 19 times of 20.
        high: its upper end; what must be free for the run to be called fitting.
        source: quick (arithmetic), exact (the real model under fake tensors), probe (one real
            step), history (finished runs of this very kind).
        basis: the source in words, such as ``quick`` or ``from 7 runs on this GPU, ±4%``.
        peak: the moment of the peak in words.
        host_bytes: memory of the host beside it (paged or offloaded states), for this process.
        uncorrected: what the estimate said before a correction, for learning the next one.
        notes: what the estimate could not know, one sentence each.
    """

    parts: tuple[Part, ...]
    total: int
    low: int
    high: int
    source: Source = "quick"
    basis: str = "quick"
    peak: str = ""
    host_bytes: int = 0
    uncorrected: int = 0
    notes: tuple[str, ...] = field(default=())

    def fits(self, free: int) -> bool:
        """Whether even the upper end of the interval is free."""
        return self.high <= free

    @property
    def tensors(self) -> int:
        """Without the framework: what torch itself counts as allocated."""
        return sum(part.bytes for part in self.parts if part.key != "framework")

    def part(self, key: str) -> int:
        """Bytes of one part, 0 where there is none."""
        return sum(part.bytes for part in self.parts if part.key == key)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        names = [name for name in self.__slots__ if name != "parts"]
        plain: dict[str, Any] = {name: getattr(self, name) for name in names}
        plain["notes"] = list(self.notes)
        plain["parts"] = [
            {"key": part.key, "title": part.title, "bytes": part.bytes, "why": part.why}
            for part in self.parts
        ]
        return plain

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Estimate:
        """The estimate that ``as_dict`` wrote."""
        parts = tuple(Part(**part) for part in values["parts"])
        return cls(**{**values, "parts": parts, "notes": tuple(values["notes"])})
