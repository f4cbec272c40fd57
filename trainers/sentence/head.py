"""The small layer that tells the classes of pairs, which the library does not keep.

It belongs to the model while that is trained, so that checkpoints, gradient clipping and several
processes treat it as they treat the rest, and lies in a file of its own beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

FILE = "pair_classes.safetensors"
_NAME = "pair_classes"


def attach(model: Any, head: nn.Linear) -> None:
    """Make the layer a part of the model, which does not use it by itself."""
    setattr(model[len(model) - 1], _NAME, head)


def head_of(model: Any) -> nn.Linear | None:
    """The model's layer, None where it has none."""
    found: nn.Linear | None = getattr(model[len(model) - 1], _NAME, None)
    return found


def save_head(model: Any, folder: Path, names: Sequence[str]) -> None:
    """Write the layer with the names of its classes, where the model has one."""
    head = head_of(model)
    if head is None:
        return
    tensors = {name: value.detach().contiguous() for name, value in head.named_parameters()}
    save_file(tensors, folder / FILE, metadata={"classes": json.dumps(list(names))})


def load_head(model: Any, folder: Path) -> set[str]:
    """Put a saved layer's weights into the model's; the names of the parameters that it filled."""
    head = head_of(model)
    if head is None:
        return set()
    weights, _ = read_head(folder)
    head.load_state_dict(weights)
    return {f"{len(model) - 1}.{_NAME}.{name}" for name in weights}


def read_head(folder: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """A saved layer's weights, and the names of its classes."""
    with safe_open(folder / FILE, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        names: list[str] = json.loads(file.metadata()["classes"])
    return weights, names


def class_shares(
    weight: torch.Tensor, bias: torch.Tensor, first: torch.Tensor, second: torch.Tensor
) -> torch.Tensor:
    """Each class's probability (pairs, classes), from the vectors of both texts.

    The layer looks at u, v and |u - v|: Reimers and Gurevych 2019, Sentence-BERT, section 3.
    """
    features = torch.cat([first, second, (first - second).abs()], dim=-1).to(weight.dtype)
    return nn.functional.linear(features, weight, bias).float().softmax(-1)
