"""Names, shapes and types of a model's tensors from the headers of its safetensors files."""

from __future__ import annotations

import json
import re
import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from luthier.trainers.errors import LuthierError

from .shape import Linear, ModelShape, Place

_TYPES = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16",
          "F8_E4M3": "float8", "F8_E5M2": "float8", "I8": "int8", "U8": "uint8"}  # fmt: skip
_LARGEST_HEADER = 100_000_000
"""The format's own limit."""
_HEADS = frozenset({"lm_head", "embed_out"})
_EMBEDDING = re.compile(r"(^|\.)(embed_tokens|wte|word_embeddings|tok_embeddings|shared|embed_in)$")
_TABLE = re.compile(r"embed|position|wpe|relative_attention_bias")
_TOWER = re.compile(r"(^|\.)(vision_tower|vision_model|visual|vision_encoder)\.")
_ATTENTION = re.compile(
    r"att|\.(q|k|v|qkv|Wqkv|query_key_value|c_attn|q_lin|k_lin|v_lin|out_lin)$|EncDecAttention"
)
_TRANSPOSED = ("gpt2", "gpt_bigcode")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a checkpoint."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def numbers(self) -> int:
        """How many numbers it has."""
        total = 1
        for size in self.shape:
            total *= size
        return total


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model's folder by name; empty where a file of theirs is missing.

    Raises:
        LuthierError: a file is no safetensors file.
    """
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    found: dict[str, Tensor] = {}
    for name in names:
        if not (folder / name).is_file():
            return {}
        found |= read_header(folder / name)
    return found


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of one file.

    Raises:
        LuthierError: it is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > _LARGEST_HEADER:
                raise ValueError(f"a header of {size} bytes")
            values: dict[str, Any] = json.loads(file.read(size))
        return {
            name: Tensor(
                _TYPES.get(entry["dtype"], entry["dtype"].lower()),
                tuple(entry["shape"]),
                entry["data_offsets"][1] - entry["data_offsets"][0],
            )
            for name, entry in values.items()
            if name != "__metadata__"
        }
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise LuthierError(
            f"{path} is not a whole safetensors file: {error}.", hint="Download it again."
        ) from error


def with_tensors(shape: ModelShape, tensors: dict[str, Tensor]) -> ModelShape:
    """The shape with its linear modules, sizes and types as the checkpoint really has them."""
    if not tensors:
        return shape
    size = sum(tensor.bytes for tensor in tensors.values())
    if shape.quantised:
        # Packed weights do not show the sizes of the matrices; the configuration does.
        return replace(shape, checkpoint_bytes=size)
    types: Counter[str] = Counter()
    for tensor in tensors.values():
        types[tensor.dtype] += tensor.numbers
    main = types.most_common(1)[0][0]
    exact = replace(
        shape,
        dtype=main,
        checkpoint_bytes=size,
        source="config.json and safetensors headers",
    )
    parts = _split(shape, tensors)
    tower = exact.tower
    if tower is not None and parts["tower"]:
        tower = _rebuilt(tower, parts["tower"])
        exact = replace(exact, tower=replace(tower, dtype=main))
    elif tower is not None:
        return exact
    return _rebuilt(exact, parts["main"])


def _split(shape: ModelShape, tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {"main": {}, "tower": {}}
    for name, tensor in tensors.items():
        behind = _TOWER.search(name) is not None
        if shape.kind == "encoder-decoder":
            behind = ".encoder." in f".{name}"
        elif shape.kind == "detector":
            behind = "backbone" in name or ".encoder." in f".{name}"
        parts["tower" if behind and shape.tower else "main"][name] = tensor
    return parts


def _rebuilt(shape: ModelShape, tensors: dict[str, Tensor]) -> ModelShape:
    counts: defaultdict[tuple[str, int, int, Place], int] = defaultdict(int)
    embeddings = others = 0
    with_bias = {name.removesuffix(".bias") for name in tensors if name.endswith(".bias")}
    biased: set[str] = set()
    for name, tensor in tensors.items():
        module = name.removesuffix(".weight")
        last = module.rpartition(".")[2]
        place = _place(module)
        if _EMBEDDING.search(module):
            # A checkpoint may hold one embedding under several names.
            embeddings = max(embeddings, tensor.numbers)
        elif last in _HEADS and name.endswith(".weight"):
            if not shape.tied:
                counts[last, tensor.shape[1], tensor.shape[0], "head"] += 1
        elif place == "expert" or (
            len(tensor.shape) == 2 and name.endswith(".weight") and not _TABLE.search(module)
        ):
            for key, many in _modules(shape, last, tensor, place):
                counts[key] += many
            if module in with_bias:
                biased.add(last)
        else:
            others += tensor.numbers
    modules = [
        Linear(last, inputs, outputs, many, place, last in biased, place == "expert")
        for (last, inputs, outputs, place), many in counts.items()
    ]
    modules += [linear for linear in shape.linears if shape.tied and linear.place == "head"]
    return replace(
        shape,
        linears=tuple(modules),
        embeddings=embeddings or shape.embeddings,
        others=others,
    )


def _place(module: str) -> Place:
    if ".experts." in f".{module}.":
        return "expert"
    if module.endswith((".gate", ".router")):
        return "router"
    if _ATTENTION.search(module):
        return "attention"
    return "mlp" if re.search(r"layers?\.|\.h\.|blocks?\.", f"{module}.") else "other"


def _modules(
    shape: ModelShape, last: str, tensor: Tensor, place: Place
) -> list[tuple[tuple[str, int, int, Place], int]]:
    sizes = tensor.shape
    if place == "expert":
        # One matrix a file entry, or all experts of a layer in one.
        many = sizes[0] if len(sizes) == 3 else 1
        return [((last, sizes[-1], sizes[-2], place), many)] if len(sizes) >= 2 else []
    if shape.model_type in _TRANSPOSED:
        return [((last, sizes[0], sizes[1], place), 1)]
    return [((last, sizes[1], sizes[0], place), 1)]
