"""Each change of Auto as a sentence with the numbers that forced it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..memory import GIB
from .changes import Change
from .problem import Choice, Level, Problem, Sharing
from .search import smallest

_COMPANIONS = {
    "launch.strategy": "launch.processes",
    "launch.fsdp_config": "launch.processes",
    "launch.deepspeed_config": "launch.processes",
    "peft.lora_alpha": "peft.r",
    "training.gradient_accumulation_steps": "training.per_device_train_batch_size",
}


@dataclass(frozen=True)
class Step:
    """One change: ``key before → after`` and why."""

    key: str
    before: Any
    after: Any
    why: str

    @property
    def sentence(self) -> str:
        """The change in a sentence."""
        return f"{self.key.rpartition('.')[2]} {self.change} {self.why}"

    @property
    def change(self) -> str:
        """``before → after``."""
        return f"{shown(self.before)} → {shown(self.after)}"


def shown(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(each)}" for key, each in value.items()) or "none"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "not set" if value is None else str(value)


def gib(count: float) -> str:
    """Bytes in GiB with one digit."""
    return f"{count / GIB:.1f} GiB"


def held(problem: Problem) -> str:
    """What Auto does not touch."""
    training = problem.spec.training
    epochs = f"{training.num_train_epochs:g} epochs"
    if training.num_train_epochs == 1:
        epochs = "1 epoch"
    length = f"{training.max_steps} steps" if training.max_steps > 0 else epochs
    rows = problem.effective
    return (
        f"Held: {rows} rows to a step, {length}, learning rate {training.learning_rate:g}."
        if rows != 1
        else f"Held: 1 row to a step, {length}, learning rate {training.learning_rate:g}."
    )


def explain(problem: Problem, chosen: Choice, changes: Sequence[Change], free: int) -> list[Step]:
    """The changes of a choice with their reasons."""
    told = {change.key for change in changes}
    words = _Words(problem, chosen, free)
    return [
        Step(change.key, change.before, change.after, words.reason(change, told))
        for change in changes
    ]


class _Words:
    """Finds the reason of each change by estimating what would be without it."""

    def __init__(self, problem: Problem, chosen: Choice, free: int) -> None:
        self._problem, self._chosen, self._free = problem, chosen, free

    def reason(self, change: Change, told: set[str]) -> str:
        """The sentence from "because" on."""
        leader = _COMPANIONS.get(change.key)
        if leader is not None and leader in told:
            return self._companion(change)
        find = {
            "launch.processes": self._processes,
            "peft.r": self._rank,
            "training.optim": self._optimizer,
            "model.load_in_4bit": self._quantisation,
            "training.gradient_checkpointing": self._checkpointing,
            "training.per_device_train_batch_size": self._batch,
            "evaluation.per_device_eval_batch_size": self._evaluation,
        }.get(change.key)
        if find is not None:
            return find()
        if change.key == f"training.{self._problem.length_key}":
            return self._length()
        return f"so that a step still sees {self._problem.effective} rows."

    def _companion(self, change: Change) -> str:
        if change.key == "peft.lora_alpha":
            return "so that updates are scaled as before."
        if change.key == "training.gradient_accumulation_steps":
            return f"so that a step still sees {_rows(self._problem.effective)}."
        return f"to share the work of {self._chosen.sharing.processes} devices that way."

    # -- concessions -----------------------------------------------------------------------------

    def _even_so(self, level: Level) -> str:
        """What the least at a level takes."""
        most = min((choice.estimate.high for choice in smallest(self._problem, level)), default=0)
        return f"takes up to {gib(most)}, and {gib(self._free)} are free."

    def _quantisation(self) -> str:
        level = replace(self._chosen.level, quantisation="none")
        return f"because with the base in 16 bits even the smallest step {self._even_so(level)}"

    def _optimizer(self) -> str:
        level = replace(self._chosen.level, optimizer=self._problem.work.optimizer)
        return f"because with full optimizer states even the smallest step {self._even_so(level)}"

    def _length(self) -> str:
        longest = max(
            (cut for cut in self._problem.limits if cut > self._chosen.level.length),
            default=self._problem.work.length,
        )
        nearest = min(cut for cut in self._problem.limits if cut >= self._chosen.level.length)
        above = [cut for cut in self._problem.limits if cut > nearest]
        level = replace(self._chosen.level, length=min(above, default=longest))
        return (
            f"because with rows of {level.length:,} tokens even the smallest step "
            f"{self._even_so(level)}{self._cut_rows()}"
        )

    def _cut_rows(self) -> str:
        lengths, limit = self._problem.lengths, self._chosen.level.length
        if lengths is None or not lengths.quantiles:
            return ""
        over = sum(length > limit for length in lengths.quantiles) / len(lengths.quantiles)
        return f" About {over:.0%} of the rows are cut." if over else " No row is cut."

    def _rank(self) -> str:
        level = replace(self._chosen.level, rank=self._chosen.level.rank * 2)
        return f"because at rank {level.rank} even the smallest step {self._even_so(level)}"

    # -- what changes nothing about the result ---------------------------------------------------

    def _processes(self) -> str:
        sharing = self._chosen.sharing
        count = sharing.processes
        reasons = {
            "single": "because one device is enough and the fastest",
            "ddp": f"because {count} copies share the rows of a step",
            "fsdp": f"because the weights only fit when {count} devices share them (FSDP)",
            "deepspeed": f"because gradients and optimizer states only fit when {count} devices "
            f"share them (ZeRO, stage {sharing.stage})",
        }
        alone = self._other(sharing=Sharing())
        if sharing.strategy in ("fsdp", "deepspeed") and alone.estimate.fits(self._free):
            return f"because it is the faster way: {self._pace(alone)}."
        return f"{reasons[sharing.strategy]}."

    def _checkpointing(self) -> str:
        other = self._other(checkpointing=not self._chosen.checkpointing)
        if not self._chosen.checkpointing:
            return (
                f"because there is room: activations are kept instead of computed twice"
                f"{self._comma_pace(other)}."
            )
        if not other.estimate.fits(self._free):
            rows = _rows(self._chosen.batch)
            return (
                f"because without it {rows} at a time {_take(self._chosen.batch)} up to "
                f"{gib(other.estimate.high)}, and {gib(self._free)} are free."
            )
        return f"because the memory that it saves makes larger passes possible{self._gain()}."

    def _batch(self) -> str:
        before = self._problem.work.batch
        fitting = self._problem.batches(self._chosen.sharing)
        other = self._other(batch=before)
        if self._chosen.batch > before:
            return f"because there is room for fuller passes{self._comma_pace(other)}."
        if before not in fitting:
            return f"because {self._chosen.sharing.processes} devices share the rows of a step."
        if not other.estimate.fits(self._free):
            return (
                f"because {_rows(before)} at a time {_take(before)} up to "
                f"{gib(other.estimate.high)}, and {gib(self._free)} are free."
            )
        return f"because smaller passes without recomputing are faster{self._comma_pace(other)}."

    def _evaluation(self) -> str:
        return "so that measuring takes no more than training."

    def _gain(self) -> str:
        return ""

    def _other(
        self,
        *,
        sharing: Sharing | None = None,
        checkpointing: bool | None = None,
        batch: int | None = None,
    ) -> Choice:
        chosen = self._chosen
        recompute = chosen.checkpointing if checkpointing is None else checkpointing
        return self._problem.choice(
            chosen.level, sharing or chosen.sharing, recompute, batch or chosen.batch
        )

    def _pace(self, other: Choice) -> str:
        return f"about {other.seconds / self._chosen.seconds - 1:.0%} by rule of thumb"

    def _comma_pace(self, other: Choice) -> str:
        gain = other.seconds / self._chosen.seconds - 1
        return f", about {gain:.0%} faster by rule of thumb" if gain >= 0.005 else ""


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _take(count: int) -> str:
    return "takes" if count == 1 else "take"
