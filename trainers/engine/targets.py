"""Numbers to predict, brought to a size that a new head can learn. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.records import Record


@dataclass(frozen=True)
class Targets:
    """The targets' names, and what was taken away and divided by; kept in the model's config."""

    names: list[str]
    mean: np.ndarray
    deviation: np.ndarray
    role: str = "target"

    @classmethod
    def of(cls, records: Sequence[Record], role: str) -> Targets:
        """The targets of the training rows."""
        names = list(records[0].values[role])
        numbers = np.array([list(record.values[role].values()) for record in records], dtype=float)
        return cls(names, numbers.mean(0), numbers.std(0), role)

    @classmethod
    def read(cls, config: Any) -> Targets:
        """Those that a model's config tells."""
        mean, deviation = np.array(config.target_mean), np.array(config.target_deviation)
        return cls(list(config.target_names), mean, deviation)

    def write(self, config: Any) -> None:
        """Put them into a model's config."""
        config.target_names = self.names
        config.target_mean = self.mean.tolist()
        config.target_deviation = self.deviation.tolist()

    def scaled(self, records: Sequence[Record]) -> np.ndarray:
        """The rows' numbers as the model learns them (rows, targets)."""
        numbers = [list(record.values[self.role].values()) for record in records]
        scaled: np.ndarray = (np.array(numbers, dtype=float) - self.mean) / self.deviation
        return scaled

    def unscaled(self, numbers: np.ndarray) -> np.ndarray:
        """The model's numbers (rows, targets) as people mean them."""
        found: np.ndarray = numbers.reshape(-1, len(self.names)) * self.deviation + self.mean
        return found
