"""What a device or an installation cannot do is changed before anything is searched."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from luthier.trainers.spec import GradientSpec
from luthier.trainers.spec.file import build_spec

from ..memory import DeviceFacts
from .changes import Change, laid_over, value_of
from .problem import Tools

_QAIC_OPTIMIZERS = ("adamw_torch", "sgd")
_NEED_BITSANDBYTES = ("bnb", "8bit", "paged", "lion", "ademamix")


def adaptations(
    spec: GradientSpec, device: DeviceFacts, tools: Tools
) -> tuple[GradientSpec, list[Change]]:
    """The spec as the device can run it, and each change with its reason."""
    wanted = {
        "qaic": _qaic,
        "cpu": _cpu,
        "cuda": _cuda,
    }[device.kind](spec, device)
    found = [*wanted, *_without_bitsandbytes(spec, device, tools)]
    changes: dict[str, Change] = {}
    for key, after, why in found:
        before = value_of(spec, key)
        if before != after:
            changes.setdefault(key, Change(key, before, after, why))
    values = spec.model_dump(mode="json")
    for section, settings in laid_over((), changes.values()).items():
        values[section] = {**values[section], **settings}
    adapted = build_spec(values, source="Auto")
    assert isinstance(adapted, GradientSpec)
    return adapted, list(changes.values())


_Wish = tuple[str, object, str]


def _qaic(spec: GradientSpec, device: DeviceFacts) -> Iterator[_Wish]:
    yield "launch.precision", "fp16", "because QAIC cards compute in fp16 and not in bf16."
    for key in ("model.load_in_4bit", "model.load_in_8bit"):
        yield key, False, "because bitsandbytes does not run on QAIC cards."
    if spec.training.optim not in _QAIC_OPTIMIZERS:
        yield "training.optim", "adamw_torch", "because QAIC cards take plain AdamW or SGD only."
    adapter = spec.peft.method != "none"
    if spec.model.dtype in ("auto", "bfloat16"):
        dtype = "float16" if adapter else "float32"
        why = "because QAIC cards have no bf16" if adapter else "because fp16 gradients of fp16 "
        why += "." if adapter else "weights cannot be scaled."
        yield "model.dtype", dtype, why
    if spec.model.attn_implementation == "flash_attention_2":
        yield "model.attn_implementation", "sdpa", "because flash-attn is made for CUDA."
    fixed = "so that every step has the same shape and nothing is compiled twice."
    yield "training.dataloader_drop_last", True, fixed
    if getattr(spec.training, "packing", None) is not None and not _weighted(spec):
        yield "training.packing", True, fixed
        yield "training.packing_strategy", "wrapped", fixed


def _weighted(spec: GradientSpec) -> bool:
    return getattr(getattr(spec, "data", None), "weight_column", None) is not None


def _cpu(spec: GradientSpec, device: DeviceFacts) -> Iterator[_Wish]:
    if spec.launch.precision == "fp16":
        yield "launch.precision", "auto", "because fp16 needs a GPU."
    if spec.model.attn_implementation == "flash_attention_2":
        yield "model.attn_implementation", "sdpa", "because flash-attn needs a GPU."
    if spec.training.tf32:
        yield "training.tf32", None, "because TF32 is a mode of NVIDIA's cards."


def _cuda(spec: GradientSpec, device: DeviceFacts) -> Iterator[_Wish]:
    if device.bf16:
        return
    if spec.launch.precision in ("auto", "bf16"):
        yield "launch.precision", "fp16", f"because {device.name or 'this card'} has no bf16."
        if spec.peft.method != "none" and spec.model.dtype in ("auto", "bfloat16"):
            yield "model.dtype", "float16", f"because {device.name or 'this card'} has no bf16."
    if spec.peft.method == "none" and spec.model.dtype in ("auto", "bfloat16", "float16"):
        why = "because fp16 gradients of fp16 weights cannot be scaled."
        yield "model.dtype", "float32", why


def _without_bitsandbytes(spec: GradientSpec, device: DeviceFacts, tools: Tools) -> Iterator[_Wish]:
    if tools.bitsandbytes or device.kind == "qaic":
        return
    for key in ("model.load_in_4bit", "model.load_in_8bit"):
        yield key, False, "because bitsandbytes is not installed."
    if any(part in spec.training.optim for part in _NEED_BITSANDBYTES):
        yield "training.optim", "adamw_torch_fused", "because bitsandbytes is not installed."


def installed_tools() -> Tools:
    """What is installed beside this Python."""
    return Tools(
        bitsandbytes=find_spec("bitsandbytes") is not None,
        deepspeed=find_spec("deepspeed") is not None,
    )
