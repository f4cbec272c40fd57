"""How much each class counts in a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ..errors import Problem, SpecError


def class_weights(
    setting: str | Mapping[str, float],
    names: Sequence[str],
    counts: Mapping[str, int],
    key: str = "training.class_weights",
) -> torch.Tensor:
    """A weight for each class.

    Args:
        setting: none, balanced (all rows / classes / rows of the class, as scikit-learn has it),
            or a weight for classes by name, 1 for those that are not named.
        names: the classes in their order.
        counts: how often each occurs.
        key: the setting's name.

    Raises:
        SpecError: a weight is not positive, or is for a class that there is not.
    """
    if setting == "none":
        return torch.ones(len(names))
    if setting == "balanced":
        total = sum(counts.values())
        return torch.tensor([total / len(names) / counts[name] for name in names])
    assert not isinstance(setting, str)
    problems = [
        Problem(f"there is no class {name!r}; there are {', '.join(names[:12])}", key)
        for name in setting
        if name not in names
    ]
    problems += [
        Problem(f"the weight of {name!r} must be above 0", key)
        for name, weight in setting.items()
        if weight <= 0
    ]
    if problems:
        raise SpecError(problems)
    return torch.tensor([float(setting.get(name, 1.0)) for name in names])
