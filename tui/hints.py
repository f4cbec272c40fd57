"""What a failed run may try next: the likely remedy as changed settings of a new run.

The hint of a run is a sentence for its reader; here it becomes settings, where that can be done
without taking a decision away from the person. Remedies that are a matter of trust or money, such
as running a model's own code, stay words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One setting by its dotted key, as it is and as it should be."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Remedy:
    """Settings that are worth a try, with the likely cause in one sentence."""

    cause: str
    changes: tuple[Change, ...]

    @property
    def values(self) -> dict[str, Any]:
        """The changed settings only, nested as in a spec."""
        nested: dict[str, Any] = {}
        for change in self.changes:
            section, _, name = change.key.rpartition(".")
            part = nested
            for step in section.split("."):
                part = part.setdefault(step, {})
            part[name] = change.new
        return nested


def remedy_for(spec: Spec, reason: str, hint: str) -> Remedy | None:
    """The remedy for a run with that spec that failed for that reason; None: none is known.

    Args:
        spec: the resolved spec.
        reason, hint: the run's own.
    """
    told = f"{reason} {hint}".lower()
    for texts, cause, find in _REMEDIES:
        if any(text in told for text in texts):
            changes = tuple(change for change in find(spec) if change.old != change.new)
            if changes:
                return Remedy(cause, changes)
    return None


def setting(spec: Spec, key: str) -> Any:
    """The value of a dotted key, None where there is none."""
    value: Any = spec
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _section(spec: Spec, name: str) -> Spec:
    found = spec.get(name)
    return found if isinstance(found, Mapping) else {}


def _set(key: str, new: Any) -> Callable[[Spec], list[Change]]:
    """Give a setting that the spec has another value."""

    def find(spec: Spec) -> list[Change]:
        section, _, name = key.rpartition(".")
        return [Change(key, setting(spec, key), new)] if name in _section(spec, section) else []

    return find


def _less_memory(spec: Spec) -> list[Change]:
    """Two steps down the ladder that cost speed only, then those that cost accuracy."""
    changes = []
    if setting(spec, "training.gradient_checkpointing") is False:
        changes.append(Change("training.gradient_checkpointing", False, True))
    batch = setting(spec, "training.per_device_train_batch_size") or 1
    if batch > 1:
        gathered = setting(spec, "training.gradient_accumulation_steps") or 1
        factor = next(number for number in range(2, batch + 1) if batch % number == 0)
        changes += [
            Change("training.per_device_train_batch_size", batch, batch // factor),
            Change("training.gradient_accumulation_steps", gathered, gathered * factor),
        ]
    if changes:
        return changes
    if setting(spec, "peft.method") == "none":
        return [Change("peft.method", "none", "lora")]
    quantised = setting(spec, "model.load_in_4bit") is not False
    if not quantised and setting(spec, "launch.devices") != "cpu":
        eight = Change("model.load_in_8bit", setting(spec, "model.load_in_8bit"), False)
        return [Change("model.load_in_4bit", False, True), eight]
    length = setting(spec, "training.max_length")
    return [Change("training.max_length", length, length // 2)] if length and length >= 128 else []


def _smaller_evaluation(spec: Spec) -> list[Change]:
    rows = setting(spec, "evaluation.per_device_eval_batch_size") or 1
    return [Change("evaluation.per_device_eval_batch_size", rows, max(1, rows // 2))]


def _without_bitsandbytes(spec: Spec) -> list[Change]:
    changes = [
        Change(key, True, False)
        for key in ("model.load_in_4bit", "model.load_in_8bit")
        if setting(spec, key)
    ]
    optimizer = setting(spec, "training.optim") or ""
    if "8bit" in optimizer or optimizer.startswith("paged"):
        changes.append(Change("training.optim", optimizer, "adamw_torch_fused"))
    return changes


def _fewer_checkpoints(spec: Spec) -> list[Change]:
    return [Change("training.save_total_limit", setting(spec, "training.save_total_limit"), 1)]


_REMEDIES: Sequence[tuple[tuple[str, ...], str, Callable[[Spec], list[Change]]]] = (
    (
        ("per_device_eval_batch_size",),
        "Memory ran out while the model was measured.",
        _smaller_evaluation,
    ),
    (
        ("memory ran out", "out of memory", "memory was used up", "cannot allocate memory"),
        "The batch does not fit into the memory.",
        _less_memory,
    ),
    (
        ("launch.offline off", "offline mode"),
        "The model or the data is not on this machine, and the run was not to load it.",
        _set("launch.offline", False),
    ),
    (
        ("chat template", "chat_template"),
        "The tokenizer does not know how a chat is written.",
        _set("model.chat_template", "chatml"),
    ),
    (
        ("flash_attention_2", "flash-attn"),
        "The attention kernel that was asked for is not installed here.",
        _set("model.attn_implementation", "sdpa"),
    ),
    (
        ("bitsandbytes",),
        "Quantisation and 8-bit optimizers need a package that is not installed here.",
        _without_bitsandbytes,
    ),
    (
        ("deepspeed",),
        "DeepSpeed is not installed here.",
        _set("launch.strategy", "auto"),
    ),
    (
        ("target_modules", "target modules"),
        "The names of the modules to adapt are not those of this model.",
        _set("peft.target_modules", "all-linear"),
    ),
    (
        ("model.tokenizer must belong", "index out of range in self"),
        "The tokenizer is another model's.",
        _set("model.tokenizer", None),
    ),
    (
        ("disk is full", "the disk of", "save_total_limit", "no space left"),
        "The disk is full.",
        _fewer_checkpoints,
    ),
)
