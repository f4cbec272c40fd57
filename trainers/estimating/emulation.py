"""What a device does differently from the CPU on which a step is rehearsed, as far as it shows.

Fake tensors live on the CPU, because a torch without CUDA knows no other. Where the libraries
choose by device, and memory depends on it, the choice of the device is put in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import bitsandbytes as bnb
import torch
from bitsandbytes.autograd._functions import MatMul8bitLt
from torch.nn import functional
from trl.kernels import chunked_logprob

from .detectors import detection
from .ledger import Workspace
from .report import DeviceKind

# PyTorch's CUDACachingAllocator.cpp (kMinBlockSize) and c10/core/alignment.h.
BLOCKS = {"cuda": 512, "qaic": 512, "cpu": 64}

_CHUNKS = "sentence_transformers.base.losses.gradcache"
_FLASH_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default


def workspaces(device: DeviceKind) -> dict[Any, Workspace]:
    """Memory that an operation of the device takes while it works, by operation."""
    if device == "cpu":
        return {}
    return {
        torch.ops.bitsandbytes.gemm_4bit.default: _unpacked_weight,
        _FLASH_BACKWARD: _attention_gradient,
    }


def _unpacked_weight(rows: Any, weight: Any, shape: Any, *_: Any, **__: Any) -> torch.Tensor:
    """For more than a few rows bitsandbytes unpacks the weight and multiplies as usual."""
    return torch.empty(tuple(shape), dtype=rows.dtype)


def _attention_gradient(
    gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any
) -> torch.Tensor:
    """FlashAttention 2 sums the query's gradient in float32 (flash_bwd, dq_accum)."""
    return torch.empty(query.shape, dtype=torch.float32)


@contextmanager
def emulated(device: DeviceKind, *, unequal: bool) -> Iterator[None]:
    """Let the libraries act as on that device.

    Args:
        device: the device.
        unequal: whether rows differ in length, so that attention needs a mask.
    """
    with ExitStack() as stack:
        # A fake mask counts as one that hides something; one without effect is left away.
        stack.enter_context(patch("transformers.masking_utils.is_tracing", lambda *_: unequal))
        stack.enter_context(detection())
        if _CHUNKS in sys.modules:
            stack.enter_context(patch.object(sys.modules[_CHUNKS], "_create_minibatch", _chunk))
        if device != "cpu":
            for target, name, stand_in in _STAND_INS:
                stack.enter_context(patch.object(target, name, stand_in))
        if device == "cuda":
            for name, function in _TRITON.items():
                stack.enter_context(patch.object(chunked_logprob, name, function))
        yield


def _chunk(features: Mapping[str, Any], begin: int, end: int) -> dict[str, Any]:
    """Rows of a batch; sentence transformers would look where the longest of them ends."""
    return {
        name: value[begin:end] if isinstance(value, torch.Tensor) else value
        for name, value in features.items()
    }


def _dropout(
    input: torch.Tensor,  # noqa: A002 - torch's name
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> torch.Tensor:
    """CUDA keeps a mask of one byte a value, the CPU one of the values' own type."""
    if not training or p == 0.0:
        return input
    return torch.native_dropout(input, p, True)[0]


_attention = functional.scaled_dot_product_attention


def _attention_on_a_gpu(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    *arguments: Any,
    **options: Any,
) -> torch.Tensor:
    """CUDA's fused kernels draw their dropout anew; the CPU's fused one has none of it."""
    return _attention(query, key, value, attn_mask, 0.0, *arguments, **options)


_layer_norm = functional.layer_norm


def _layer_norm_of_autocast(
    input: torch.Tensor,  # noqa: A002 - torch's name
    normalized_shape: Any,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """CUDA's autocast computes it in float32, the CPU's in the type it finds.

    https://docs.pytorch.org/docs/stable/amp.html#cuda-ops-that-can-autocast-to-float32
    """
    if torch.is_autocast_enabled("cpu"):
        input = input.float()  # noqa: A001
        weight = None if weight is None else weight.float()
        bias = None if bias is None else bias.float()
    return _layer_norm(input, normalized_shape, weight, bias, eps)


def _int8_product(
    A: torch.Tensor,  # noqa: N803 - bitsandbytes' names
    B: torch.Tensor,  # noqa: N803
    out: torch.Tensor | None = None,
    state: Any = None,
    threshold: float = 0.0,
    bias: torch.Tensor | None = None,
) -> Any:
    """The CPU unpacks the weight instead; outliers, a column or two, are left out here."""
    state.threshold = 0.0
    return MatMul8bitLt.apply(A, B, out, bias, state)


def _add_product(total: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    """A product that is added in float32 without a result of its own."""


class _Kernel:
    """A Triton kernel works in place: it makes nothing, whatever its grid and arguments."""

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        return self

    def __call__(self, *_: Any, **__: Any) -> None:
        return None


_STAND_INS: tuple[tuple[Any, str, Any], ...] = (
    (functional, "dropout", _dropout),
    (functional, "layer_norm", _layer_norm_of_autocast),
    (functional, "scaled_dot_product_attention", _attention_on_a_gpu),
    (bnb, "matmul", _int8_product),
)
_TRITON = {
    "_forward_tile": _Kernel(),
    "_backward_tile": _Kernel(),
    "_addmm_fp32": _add_product,
}
