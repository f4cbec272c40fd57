"""The parts of a model that sees, and which of their weights are trained."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ..engine.adapters import adapter_config, add_adapter
from ..errors import Problem, SpecError
from .settings import Part, PictureSpec


def trained_parts(model: Any, spec: PictureSpec) -> Any:
    """The model with the chosen parts ready to be trained, and the others frozen.

    Raises:
        SpecError: a chosen part, or a module that is named, is not there.
    """
    part_of = parts_of(model)
    chosen = spec.peft.parts
    there = {part_of(name) for name, _ in model.named_parameters()}
    for part in chosen:
        if part not in there:
            text = f"the model has no {part} part; it has {', '.join(sorted(there))}"
            raise SpecError([Problem(text, "peft.parts")])
    config = adapter_config(spec)
    if config is None:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(part_of(name) in chosen)
        return model
    config.target_modules = _targets(model, spec, part_of)
    checkpointing = spec.training.gradient_checkpointing
    return add_adapter(model, config, checkpointing=checkpointing)


def parts_of(model: Any) -> Callable[[str], Part]:
    """Tells the part of a module or parameter by its name.

    What belongs neither to the image encoder nor to the language model lies between the two.
    """
    prefixes: list[tuple[str, Part]] = []
    homes: Mapping[int, Part] = {
        id(model.get_encoder(modality="image")): "vision",
        id(model.get_decoder()): "language",
        id(model.get_output_embeddings()): "language",
    }
    for name, module in model.named_modules():
        if name and id(module) in homes:
            prefixes.append((f"{name}.", homes[id(module)]))

    def part_of(name: str) -> Part:
        return next((part for start, part in prefixes if f"{name}.".startswith(start)), "projector")

    return part_of


def _targets(model: Any, spec: PictureSpec, part_of: Callable[[str], Part]) -> list[str]:
    """The full names of the linear modules that get an adapter."""
    wanted, head = spec.peft.target_modules, model.get_output_embeddings()
    found = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head and part_of(name) in spec.peft.parts
    ]
    chosen = [name for name in found if _matches(name, wanted)]
    if not chosen:
        parts = ", ".join(spec.peft.parts)
        last = ", ".join(sorted({name.rpartition(".")[2] for name in found}))
        text = f"no linear module of {parts} is named so; there are {last}"
        raise SpecError([Problem(text, "peft.target_modules")])
    return chosen


def _matches(name: str, wanted: str | list[str]) -> bool:
    """As peft understands target_modules: a pattern of the full name, or how it ends."""
    if wanted == "all-linear":
        return True
    if isinstance(wanted, str):
        return re.fullmatch(wanted, name) is not None
    return any(name == end or name.endswith(f".{end}") for end in wanted)
