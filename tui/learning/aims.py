"""What a person may care for most, and what the guide chooses for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from luthier.presets import Preset, presets
from luthier.trainers.registry import Task

from ..forms import form_fields


@dataclass(frozen=True)
class Aim:
    """One thing to care for most.

    Attributes:
        id: what the guide calls it.
        text: in the person's words.
    """

    id: str
    text: str


AIMS = (
    Aim("fast", "a first result soon, to see that it works"),
    Aim("balanced", "a good result in reasonable time"),
    Aim("best", "the best result, however long it takes"),
    Aim("memory", "as little memory as possible"),
)
_PRESETS = {"fast": "quick-test", "balanced": "balanced", "best": "best-quality"}
_SMALL = {
    "training.per_device_train_batch_size": 4,
    "training.gradient_accumulation_steps": 4,
    "training.gradient_checkpointing": True,
}
_FAST_LEAST = 20.0


@dataclass(frozen=True)
class Choice:
    """A preset for an aim.

    Attributes:
        reason: why, in a sentence or two.
        values: sections that are filled in over the preset.
    """

    preset: Preset
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)


def choose(aim: str, task: Task, memory: float | None, *, beginner: bool) -> Choice:
    """What fits an aim best.

    Args:
        aim: id of an Aim.
        memory: of the device, in GiB; None for a CPU.
        beginner: whether nothing of this was done before.
    """
    known = {
        preset.name.partition("/")[2]: preset for preset in presets() if preset.task == task.id
    }
    if aim == "memory":
        return _smallest(task, known)
    if aim == "fast" and not beginner and "fastest" in known and (memory or 0) >= _FAST_LEAST:
        return Choice(known["fastest"], "It goes over all rows as quickly as your GPU can.")
    reasons = {
        "fast": "It stops after few steps on part of the rows, so that you see soon whether all is "
        "well; take Balanced for the real run.",
        "balanced": "It comes close to the best result for most data.",
        "best": "It trains longer, measures on the way and keeps the best state.",
    }
    return Choice(known[_PRESETS[aim]], reasons[aim])


def _smallest(task: Task, known: Mapping[str, Preset]) -> Choice:
    if preset := known.get("smallest-memory"):
        return Choice(preset, "It holds the model in 4 bits and takes one row at a time.")
    balanced = known["balanced"]
    if not task.default_model:
        return Choice(balanced, "Tables need little memory anyway.")
    if task.family == "sentence embedding":
        # The texts of a batch are compared with each other: small batches would teach less.
        values = {"training": {"gradient_checkpointing": True}}
        return Choice(balanced, "Activations are computed twice instead of kept.", values)
    keys = {each.key for each in form_fields(task.id)}
    training = {key.partition(".")[2]: value for key, value in _SMALL.items() if key in keys}
    reason = "Few rows go through at a time, and several such steps count as one."
    return Choice(balanced, reason, {"training": training})
