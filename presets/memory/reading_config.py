"""Values of a config.json, under whichever of their names the family uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .shape import Linear, Place

Config = Mapping[str, Any]

Row = tuple[str, int, int, int, Place, bool]
"""name, inputs, outputs, count, place, bias of linear modules."""


def number(config: Config, *names: str, default: int | None = None) -> int:
    """The first of these values that is there.

    Raises:
        KeyError: none is, and there is no default.
    """
    for name in names:
        value = config.get(name)
        if value is not None:
            return int(value[0] if isinstance(value, (list, tuple)) else value)
    if default is None:
        raise KeyError(names[0])
    return default


def dtype_of(config: Config) -> str:
    """Number type of the checkpoint; float32 when nothing says otherwise."""
    found = config.get("dtype") or config.get("torch_dtype")
    if found is None and isinstance(config.get("text_config"), Mapping):
        return dtype_of(config["text_config"])
    return str(found or "float32").removeprefix("torch.")


def quantisation_of(config: Config) -> str:
    """How the checkpoint is quantised, or nothing."""
    return str((config.get("quantization_config") or {}).get("quant_method", ""))


def activation_tensors(config: Config) -> int:
    """How many tensors the activation function keeps."""
    name = str(
        config.get("hidden_act")
        or config.get("activation_function")
        or config.get("hidden_activation")
        or ""
    )
    # Written out in Python: the cube, the tanh and both factors of the product.
    return 4 if name in ("gelu_new", "gelu_fast", "quick_gelu") else 1


def linears(rows: list[Row]) -> tuple[Linear, ...]:
    """The modules of these rows, without those that have no size."""
    return tuple(
        Linear(*row, fused=row[4] == "expert") for row in rows if row[1] and row[2] and row[3]
    )


def biases(modules: tuple[Linear, ...]) -> int:
    """Numbers in all biases."""
    return sum(module.biases for module in modules)
