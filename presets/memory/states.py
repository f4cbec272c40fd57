"""What lies in memory for the whole run: weights, adapters, optimizer states."""

from __future__ import annotations

from dataclasses import dataclass

from .shape import BYTES, Linear, ModelShape
from .workload import Workload

_NF4_BLOCK = 64
"""Weights that share one scale; bitsandbytes' default."""
_NESTED_BLOCK = 256
"""Scales that share one scale of their own, with double quantisation."""
_OPTIMIZER_BLOCK = 256
"""States that share one scale in bitsandbytes' 8-bit optimizers."""
_SMALL = 4096
"""bitsandbytes keeps the states of smaller tensors in 32 bits."""
_NAMED_WHOLE = {"lm_head": "head", "embed_out": "head", "score": "head", "classifier": "head"}


def width(dtype: str) -> float:
    """Bytes of one number of a type; 4 for a type that is not known."""
    return BYTES.get(dtype, 4.0)


def is_quantised(linear: Linear, work: Workload) -> bool:
    """Whether bitsandbytes takes these modules; it leaves the head and fused experts alone."""
    return work.quantisation != "none" and linear.place not in ("head", "router", "expert")


def has_adapter(linear: Linear, work: Workload) -> bool:
    """Whether peft puts an adapter on these modules."""
    if work.method not in ("lora", "dora", "ia3") or linear.place in ("router", "expert"):
        return False
    if linear.name in work.excluded:
        return False
    if work.targets == ("all-linear",):
        return linear.place != "head"
    return any(target.rpartition(".")[2] == linear.name for target in work.targets)


def weight_bytes(shape: ModelShape, work: Workload) -> float:
    """The base model's weights, before any sharding."""
    if shape.quantised and shape.checkpoint_bytes:
        return float(shape.checkpoint_bytes)
    number = width(work.dtype)
    total = 0.0
    for stack in shape.stacks:
        total += (stack.embeddings + stack.others) * number
        for linear in stack.linears:
            if stack.tied and linear.place == "head":
                continue
            each = quantised_width(work) if is_quantised(linear, work) else number
            total += linear.weights * each
    return total


def quantised_width(work: Workload) -> float:
    """Bytes of one quantised weight with its share of the constants.

    nf4 has one 32-bit scale for 64 weights; double quantisation keeps the scales in 8 bits with
    one 32-bit scale for 256 of them (Dettmers et al., QLoRA, 2023, section 3). int8 has one
    32-bit scale a row.
    """
    if work.quantisation == "int8":
        return 1.001
    scale = 1 + 4 / _NESTED_BLOCK if work.double_quantisation else 4.0
    return 0.5 + scale / _NF4_BLOCK


@dataclass(frozen=True, slots=True)
class Trained:
    """What is trained.

    Attributes:
        numbers: how many.
        dtype: their type.
        head: how many of them get their gradient before the layers do (head, tied embedding).
        embedding: how many are a token embedding, whose 8-bit states stay in 32 bits.
        small: how many lie in tensors too small for 8-bit states.
        largest: numbers of the largest tensor.
        factored: rows and columns of all matrices, for factored states.
        copied: numbers of modules that are trained whole beside an adapter, and so exist twice.
    """

    numbers: int
    dtype: str
    head: int = 0
    embedding: int = 0
    small: int = 0
    largest: int = 0
    factored: int = 0
    copied: int = 0


def trained(shape: ModelShape, work: Workload) -> Trained:
    """What a run trains, by its method."""
    if work.method == "none":
        return _whole(shape, work)
    if work.method == "prompt-tuning":
        count = work.prompt_tokens * shape.hidden
        return Trained(count, "float32", 0, count, 0, count, count)
    numbers = largest = small = factored = 0
    for linear in _chosen(shape, work):
        if not has_adapter(linear, work):
            continue
        for size in _adapter_tensors(linear, work):
            numbers += size * linear.count
            largest = max(largest, size)
            small += size * linear.count if size < _SMALL else 0
        factored += (linear.inputs + linear.outputs + 2 * work.rank) * linear.count
    copied = _saved_modules(shape, work)
    # TRL trains the adapters of a quantised model in bf16; peft's own are always 32 bits wide.
    dtype = "bfloat16" if work.quantisation != "none" else "float32"
    return Trained(
        numbers + copied, dtype, copied, 0, small, max(largest, copied), factored, copied
    )


def _chosen(shape: ModelShape, work: Workload) -> list[Linear]:
    """The linear modules of the parts that are trained."""
    parts = [linears for part, _, linears in shape.places if not work.parts or part in work.parts]
    return [linear for linears in parts for linear in linears]


def _saved_modules(shape: ModelShape, work: Workload) -> int:
    total = 0
    for name in work.saved_modules:
        if "embed" in name:
            total += shape.embeddings
        else:
            place = _NAMED_WHOLE.get(name)
            total += sum(
                linear.weights
                for linear in shape.all_linears
                if linear.name == name or (place is not None and linear.place == place)
            )
    return total


def _adapter_tensors(linear: Linear, work: Workload) -> tuple[int, ...]:
    if work.method == "ia3":
        return (linear.outputs,)
    pair = (linear.inputs * work.rank, linear.outputs * work.rank)
    return (*pair, linear.outputs) if work.method == "dora" else pair


def _whole(shape: ModelShape, work: Workload) -> Trained:
    matrices = [
        linear for linear in _chosen(shape, work) if not (shape.tied and linear.place == "head")
    ]
    sizes = [_tensor(linear, shape) for linear in matrices]
    factored = sum((linear.inputs + linear.outputs) * linear.count for linear in matrices)
    # Norms and biases of the projector, which are few, are counted with the language model.
    stacks = [
        stack
        for part, stack, _ in shape.places
        if part != "projector" and (not work.parts or part in work.parts)
    ]
    others = sum(stack.others for stack in stacks)
    words = shape in stacks
    embedding = shape.embeddings if words else 0
    return Trained(
        numbers=sum(linear.weights for linear in matrices) + others
        + sum(stack.embeddings for stack in stacks),
        dtype=work.dtype,
        head=shape.head_parameters if words else 0,
        embedding=embedding,
        small=others,
        largest=max([*sizes, embedding]),
        factored=factored + others + (shape.vocabulary + shape.hidden if words else 0),
    )  # fmt: skip


def _tensor(linear: Linear, shape: ModelShape) -> int:
    # The experts of a layer are one tensor.
    return linear.inputs * linear.outputs * (shape.experts if linear.place == "expert" else 1)


@dataclass(frozen=True, slots=True)
class OptimizerMemory:
    """Bytes an optimizer holds: all the time, during its step, and on the host instead."""

    states: float
    temporary: float
    host: float = 0.0


def optimizer_memory(found: Trained, work: Workload, *, cuda: bool) -> OptimizerMemory:
    """Memory of ``training.optim`` over what is trained, before any sharding.

    torch's own optimizers keep their states in the type of the weights, bitsandbytes' in 32 or 8
    bits whatever that is.
    """
    name, own, count = work.optimizer, width(found.dtype), found.numbers
    # torch's unfused optimizers compute with all tensors at once on a GPU, one by one elsewhere.
    together = (count if cuda else found.largest) * own
    if name in ("adamw_torch", "adamw_torch_fused"):
        return OptimizerMemory(2 * count * own, 0.0 if name.endswith("fused") else together)
    if name == "sgd":
        return OptimizerMemory(0.0, 0.0)
    if name in ("rmsprop", "adagrad"):
        return OptimizerMemory(count * own, together)
    if name == "adafactor":
        # Squared gradients, the update and a 32-bit copy, of one tensor at a time.
        return OptimizerMemory(4.0 * found.factored, 3 * 4.0 * found.largest)
    moments = 1 if "lion" in name else 3 if "ademamix" in name else 2
    if "8bit" in name:
        wide = min(count, found.embedding + found.small)
        states = moments * ((count - wide) * (1 + 4 / _OPTIMIZER_BLOCK) + wide * 4.0)
    else:
        states = moments * count * 4.0
    return OptimizerMemory(0.0, 0.0, states) if "paged" in name else OptimizerMemory(states, 0.0)
