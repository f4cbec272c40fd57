"""TRL's trainers gather metrics between logs; a resumed run goes on with what was gathered."""

from __future__ import annotations

from typing import Any

from .trainer import RunTrainer


class MeteredTrainer(RunTrainer):
    """Mixed in before a trainer of TRL that counts tokens in ``_total_train_tokens``."""

    _metrics: dict[str, dict[str, list[Any]]]
    _total_train_tokens: float

    def tokens_so_far(self) -> float:
        return float(self._total_train_tokens)

    def carried(self) -> dict[str, Any]:
        metrics = {name: list(values) for name, values in self._metrics["train"].items()}
        return {**super().carried(), "metrics": metrics, "tokens": self._total_train_tokens}

    def carry_on(self, values: dict[str, Any]) -> None:
        super().carry_on(values)
        self._total_train_tokens = values["tokens"]
        self._metrics["train"].update(values["metrics"])
