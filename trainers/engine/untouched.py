"""Trying something with a trainer and leaving no trace of it."""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import Trainer

_SCALARS = (bool, int, float, str, bytes, type(None))
_MOST_ENTRIES = 10_000


@contextmanager
def untouched(trainer: Trainer) -> Iterator[None]:
    """Put everything back that a forward and backward pass changes.

    That is: gradients, buffers, random numbers, whatever the trainer and the modules gather in
    attributes of plain values, and which mode they are in.
    """
    model = trainer.model
    undo: list[Callable[[], None]] = [_random_numbers()]
    undo += [_put_back(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    undo += [_scalars(module) for module in model.modules()]
    undo += [_scalars(trainer), _gathered(trainer)]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for step in undo:
            step()


def _random_numbers() -> Callable[[], None]:
    python, arrays, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def restore() -> None:
        random.setstate(python)
        np.random.set_state(arrays)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)

    return restore


def _put_back(tensor: torch.Tensor, values: torch.Tensor) -> Callable[[], None]:
    def restore() -> None:
        with torch.no_grad():
            tensor.copy_(values)

    return restore


def _scalars(owner: Any) -> Callable[[], None]:
    kept = {name: value for name, value in vars(owner).items() if isinstance(value, _SCALARS)}
    return lambda: vars(owner).update(kept)


def _gathered(owner: Any) -> Callable[[], None]:
    """What restores the collections of plain values among an object's own attributes."""
    kept = {
        name: (value, _copied(value))
        for name, value in vars(owner).items()
        if isinstance(value, dict | list | set | deque | torch.Tensor) and _is_plain(value)
    }

    def restore() -> None:
        for name, (value, copied) in kept.items():
            _refill(value, copied)
            vars(owner)[name] = value

    return restore


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else copy.deepcopy(value)


def _is_plain(value: Any) -> bool:
    """Whether a value consists of plain values and tensors outside of any graph."""
    if isinstance(value, torch.Tensor):
        return not value.requires_grad
    if isinstance(value, _SCALARS):
        return True
    if not isinstance(value, dict | list | set | deque | tuple) or len(value) > _MOST_ENTRIES:
        return False
    members = value.values() if isinstance(value, dict) else value
    return all(_is_plain(member) for member in members)


def _refill(value: Any, copied: Any) -> None:
    """Let the very same object have its former contents, since others may hold it too."""
    if isinstance(value, torch.Tensor):
        value.data.copy_(copied)
        return
    value.clear()
    if isinstance(value, dict | set):
        value.update(copied)
    else:
        value.extend(copied)
