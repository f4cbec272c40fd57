"""A choice as settings of a spec."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from luthier.trainers.errors import SpecError
from luthier.trainers.spec import GradientSpec, RunSpec
from luthier.trainers.spec.file import build_spec

from ..files import Sections
from .problem import Choice, Problem

# accelerate's second FSDP, each layer a unit of its own.
_FSDP = {"fsdp_version": 2, "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP"}


@dataclass(frozen=True)
class Change:
    """One setting that is to differ; ``why`` is a sentence, or empty when others explain it."""

    key: str
    before: Any
    after: Any
    why: str = ""


def settings_of(problem: Problem, choice: Choice) -> list[Change]:
    """Where the choice differs from the problem's spec, in the order of the decisions."""
    spec, level, sharing = problem.spec, choice.level, choice.sharing
    accumulation = max(1, problem.effective // (choice.batch * sharing.processes))
    wanted: dict[str, Any] = {}
    if sharing.processes != problem.work.processes or sharing.strategy != problem.work.strategy:
        wanted["launch.processes"] = sharing.processes
        wanted["launch.strategy"] = _strategy(problem, choice)
        if sharing.strategy == "fsdp" and not spec.launch.fsdp_config:
            wanted["launch.fsdp_config"] = dict(_FSDP)
        if sharing.strategy == "deepspeed" and not spec.launch.deepspeed_config:
            wanted["launch.deepspeed_config"] = {"zero_optimization": {"stage": sharing.stage}}
    if level.rank != problem.work.rank:
        wanted["peft.r"] = level.rank
        scaled = spec.peft.lora_alpha * level.rank / problem.work.rank
        wanted["peft.lora_alpha"] = int(scaled) if float(scaled).is_integer() else scaled
    if level.length != problem.work.length and problem.length_key:
        wanted[f"training.{problem.length_key}"] = level.length
    wanted["training.optim"] = level.optimizer
    if level.quantisation != problem.work.quantisation:
        wanted["model.load_in_4bit"] = level.quantisation == "nf4"
    wanted["training.gradient_checkpointing"] = choice.checkpointing
    wanted["training.per_device_train_batch_size"] = choice.batch
    wanted["training.gradient_accumulation_steps"] = accumulation
    wanted["evaluation.per_device_eval_batch_size"] = min(
        spec.evaluation.per_device_eval_batch_size, choice.batch
    )
    found = (Change(key, value_of(spec, key), value) for key, value in wanted.items())
    return [change for change in found if change.before != change.after]


def _strategy(problem: Problem, choice: Choice) -> str:
    if choice.sharing.strategy in ("single", "ddp"):
        return problem.spec.launch.strategy if choice.sharing.processes > 1 else "auto"
    return choice.sharing.strategy


def laid_over(first: Iterable[Change], changes: Iterable[Change]) -> dict[str, dict[str, Any]]:
    """The changes as sections, later ones winning."""
    sections: dict[str, dict[str, Any]] = {}
    for change in (*first, *changes):
        section, _, name = change.key.partition(".")
        sections.setdefault(section, {})[name] = change.after
    return sections


def value_of(spec: GradientSpec, key: str) -> Any:
    """The setting at a dotted key."""
    section, _, name = key.partition(".")
    return getattr(getattr(spec, section), name)


def built(spec: RunSpec, sections: Sections) -> RunSpec:
    """The spec with these settings. Raises SpecError when they do not go together."""
    values = spec.model_dump(mode="json")
    for name, settings in sections.items():
        values[name] = {**values[name], **settings}
    return build_spec(values, source="Auto")


def makes_a_spec(problem: Problem, choice: Choice) -> bool:
    """Whether the choice's settings go together."""
    try:
        built(problem.spec, laid_over((), settings_of(problem, choice)))
    except SpecError:
        return False
    return True
