"""What a forward pass keeps for the backward pass.

Counted tensor by tensor from the operations that transformers' layers are made of and from what
torch's autograd keeps of each: a product keeps its factors, a softmax its result, and so on, in the
number types that autocast makes of them. ``tests/training/test_memory_truth.py`` holds the sums
against the live tensors of real models.
"""

from __future__ import annotations

from dataclasses import dataclass

from .shape import Linear, ModelShape
from .states import has_adapter, is_quantised, trained, width
from .workload import DeviceFacts, Workload

_AUTOCAST = {"bf16": 2.0, "fp16": 2.0}
_OUTWARD = ("o_proj", "out_proj", "dense", "c_proj", "o", "Wo", "out_lin")


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes of a number: in the stream between layers, in matrix products, in adapters."""

    stream: float
    compute: float
    adapter: float
    autocast: bool

    @classmethod
    def of(cls, shape: ModelShape, work: Workload, device: DeviceFacts) -> Widths:
        """The widths of a workload; on a GPU, layer norms put out 32 bits under autocast."""
        stored = width(work.dtype)
        autocast = work.precision in _AUTOCAST
        compute = _AUTOCAST.get(work.precision, stored)
        stream = 4.0 if autocast and not shape.rms and device.kind != "cpu" else stored
        return cls(stream, compute, 2.0 if work.quantisation != "none" else 4.0, autocast)

    @property
    def adapter_compute(self) -> float:
        """Inside adapters."""
        return self.compute if self.autocast else self.adapter


@dataclass(frozen=True, slots=True)
class Attention:
    """How attention is computed.

    Attributes:
        masked: whether a mask is handed over (padded or packed rows, sliding windows).
        grouped: whether keys and values stay in their own, fewer heads.
        scores: whether the table of all positions by all positions is made.
    """

    masked: bool
    grouped: bool
    scores: bool

    @classmethod
    def of(cls, shape: ModelShape, work: Workload, device: DeviceFacts) -> Attention:
        """The way that transformers and torch choose."""
        several = shape.kv_heads < shape.heads
        masked = _is_masked(shape, work)
        dropped = shape.attention_dropout and device.kind == "cpu"
        if shape.eager_only or dropped or work.attention == "eager":
            return cls(masked, grouped=False, scores=True)
        if work.attention == "flash_attention_2":
            return cls(masked=False, grouped=several, scores=False)
        # Without a mask keys and values are left in groups, which of torch's kernels only the
        # flash one takes: half precision on a GPU that has bf16, or the CPU's own.
        flash = device.kind == "cpu" or (device.bf16 and Widths.of(shape, work, device).compute < 4)
        grouped = several and not masked
        return cls(masked, grouped, scores=grouped and not flash)


def _is_masked(shape: ModelShape, work: Workload) -> bool:
    if shape.tokens:
        return False
    if shape.window and positions(shape, work) >= shape.window:
        return True
    return work.packing == "bfd" or (work.batch > 1 and not work.even)


def positions(shape: ModelShape, work: Workload) -> int:
    """Length of one sequence as attention sees it; the packed rows of a batch are one."""
    if shape.tokens:
        return shape.tokens
    own = _own_length(shape, work)
    return own * work.sequences if work.packing == "bfd" else own


def _own_length(shape: ModelShape, work: Workload) -> int:
    """Positions of a row in a stack of text; a decoder behind an encoder has rows of its own."""
    written = work.target if shape.kind == "encoder-decoder" else 0
    return (written or work.length) + work.prompt_tokens


def tokens(shape: ModelShape, work: Workload) -> int:
    """Positions that one forward pass has in a stack."""
    return work.sequences * (shape.tokens or _own_length(shape, work))


@dataclass(frozen=True, slots=True)
class Activations:
    """Bytes on one device.

    Attributes:
        kept: what all layers keep together until the backward pass.
        layer: what one layer keeps while it is differentiated; the widest of all stacks.
        working: short-lived tensors beside it.
        casts: 16-bit copies of 32-bit weights that autocast makes, all layers.
        layer_casts: those of one layer.
        returned: gradient of the embedded rows, which checkpointing with adapters asks for.
    """

    kept: float
    layer: float
    working: float
    casts: float
    layer_casts: float
    returned: float


def activations(shape: ModelShape, work: Workload, device: DeviceFacts) -> Activations:
    """What the layers of all stacks keep in one forward and backward pass."""
    kept = layer = working = 0.0
    whole = work
    for stack in shape.stacks:
        seeing = stack is not shape and shape.kind == "vision-language"
        if seeing and not _reaches_pictures(whole):
            continue
        work = whole.of_part("vision" if seeing else "language")
        widths, count = Widths.of(stack, work, device), tokens(stack, work)
        one = count * layer_bytes(stack, work, device)
        if work.checkpointing:
            kept += stack.layers * count * stack.hidden * widths.stream
        else:
            kept += stack.layers * one
        outside = 1.0 if stack.outside else 0.0
        kept += outside * work.sequences * stack.outside * widths.compute
        kept += count * stack.hidden * (4.0 + widths.stream)
        layer = max(layer, one)
        working = max(working, count * _working(stack, work, widths, device))
    work = whole
    casts, one_cast = _casts(shape, work)
    own = Widths.of(shape, work, device)
    embedded = work.checkpointing and work.method not in ("none", "prompt-tuning")
    returned = tokens(shape, work) * shape.hidden * own.stream if embedded else 0.0
    return Activations(kept, layer, working + _unpacking(shape, work), casts, one_cast, returned)


def _reaches_pictures(work: Workload) -> bool:
    """Whether gradients go back through the image encoder.

    With checkpointing peft and transformers let every input of a stack ask for a gradient.
    """
    asked = work.checkpointing and work.method != "none"
    return not work.parts or "vision" in work.parts or asked


def layer_bytes(shape: ModelShape, work: Workload, device: DeviceFacts) -> float:
    """What one layer of a stack keeps of one position."""
    widths = Widths.of(shape, work, device)
    way = Attention.of(shape, work, device)
    return (
        _norms(shape, work, widths)
        + _attention(shape, work, widths, way, device)
        + _feed_forward(shape, work, widths)
        + _inputs(shape, work, widths, way, device)
        + _dropouts(shape, work, widths, device)
    )


def _norms(shape: ModelShape, work: Workload, widths: Widths) -> float:
    """An RMS norm keeps its input in 32 bits and, to train its weight, what it normalised."""
    if not shape.rms or work.compiled:
        # Compiled, the norm of its input is worked out again in the backward pass.
        return shape.norms * (shape.hidden * widths.stream + 8)
    whole = work.method == "none"
    normal = (4.0 if shape.wide_norms else widths.stream) if whole else 0.0
    kept = shape.norms * (shape.hidden * (4.0 + normal) + 4)
    if shape.qk_norm:
        heads = shape.heads + shape.kv_heads
        inner = (4.0 if shape.wide_norms else widths.compute) if whole else 0.0
        kept += heads * (shape.head_size * (4.0 + inner) + 4)
    return kept


def _attention(
    shape: ModelShape, work: Workload, widths: Widths, way: Attention, device: DeviceFacts
) -> float:
    """Queries, keys, values and the result; rows of scores where they are all made."""
    queries = shape.heads * shape.head_size
    keys = shape.kv_heads * shape.head_size if way.grouped else queries
    kept = widths.compute * (queries * (1 + shape.held_views) + 2 * keys)
    length = positions(shape, work)
    if way.scores:
        kept += shape.heads * length * _score_bytes(shape, widths, device)
    else:
        kept += widths.compute * queries + 4 * shape.heads
        # Every layer turns the mask of yes and no into numbers of its own.
        kept += widths.compute * length if way.masked else 0.0
    crossing = 2.0 if shape.kind == "encoder-decoder" else 1.0
    return kept * crossing


def _score_bytes(shape: ModelShape, widths: Widths, device: DeviceFacts) -> float:
    """The softmax in 32 bits, its copy for the product with the values, and what comes before."""
    kept = 4.0 + (widths.compute if widths.compute < 4 else 0.0)
    if shape.attention_dropout:
        kept += 8.0 if device.kind == "cpu" else 1.0 + widths.compute
    tables = shape.score_tensors + (1 if shape.capped_scores else 0)
    return kept + tables * widths.compute


def _feed_forward(shape: ModelShape, work: Workload, widths: Widths) -> float:
    """What goes into the activation and, with a gate, both factors of the product."""
    written = 1 if work.compiled else shape.activation_tensors
    ways = written + (0 if not shape.gated else 1 if work.compiled else 2)
    kept = ways * shape.intermediate * widths.compute
    if not shape.experts:
        return kept
    # Every expert's result is kept, to learn how much of it to take, and the rows chosen for it.
    dense = sum(
        linear.outputs * linear.count
        for linear in shape.linears
        if linear.place == "mlp" and linear.inputs == shape.hidden
    )
    shared = dense / shape.layers * 1.5 * widths.compute
    return shape.active_experts * (kept + 2 * shape.hidden * widths.compute) + shared


def _dropouts(shape: ModelShape, work: Workload, widths: Widths, device: DeviceFacts) -> float:
    mask = widths.stream if device.kind == "cpu" else 1.0
    return shape.dropouts * shape.hidden * mask


def _inputs(
    shape: ModelShape, work: Workload, widths: Widths, way: Attention, device: DeviceFacts
) -> float:
    """What linear modules keep of their inputs: to train them, or the adapters beside them."""
    kept = 0.0
    shared: set[tuple[str, int]] = set()
    for linear in shape.linears:
        if linear.place in ("head", "router", "other"):
            continue
        origin, arrives = _origin(linear, shape, widths)
        share = _per_layer(linear, shape)
        # bitsandbytes keeps the inputs of its 8-bit products although it does not train them.
        kept_int8 = work.quantisation == "int8" and is_quantised(linear, work)
        whole = work.method == "none" or kept_int8
        adapted = has_adapter(linear, work) and work.method != "ia3"
        as_it_is = adapted and not work.dropout and arrives == widths.adapter
        as_it_is = as_it_is and widths.adapter == widths.adapter_compute
        if (whole and arrives == widths.compute) or as_it_is:
            # One tensor for all that read it; attention has kept its own result already.
            if (origin, linear.inputs) not in shared and not (
                origin == "attended" and not way.scores
            ):
                once = share if linear.place == "expert" else min(1.0, share)
                kept += once * linear.inputs * arrives
            shared.add((origin, linear.inputs))
        elif whole:
            kept += share * linear.inputs * widths.compute
        if adapted:
            kept += share * work.rank * widths.adapter_compute
            if work.dropout:
                mask = widths.adapter if device.kind == "cpu" else 1.0
                kept += share * linear.inputs * (mask + widths.adapter_compute)
            elif not as_it_is:
                kept += share * linear.inputs * widths.adapter_compute
    return kept


def _per_layer(linear: Linear, shape: ModelShape) -> float:
    if linear.place == "expert":
        return linear.count / shape.layers / shape.experts * shape.active_experts
    return linear.count / shape.layers


def _origin(linear: Linear, shape: ModelShape, widths: Widths) -> tuple[str, float]:
    """Which tensor a module reads, and the width of its numbers."""
    if linear.place == "attention":
        if linear.name in _OUTWARD:
            return "attended", widths.compute
        return "attention", widths.stream
    if linear.inputs == shape.hidden and linear.outputs != shape.hidden:
        return linear.place, widths.stream
    return f"inner {linear.place}", widths.compute


def _working(shape: ModelShape, work: Workload, widths: Widths, device: DeviceFacts) -> float:
    """Short-lived tensors of one position at the widest place of a layer's backward pass."""
    wide = shape.intermediate * (max(1, shape.active_experts) if shape.experts else 1)
    compute, stream, h = widths.compute, widths.stream, shape.hidden
    if work.method == "none":
        layer = 2 * compute * wide + 1.5 * stream * h
    elif compute == stream == widths.adapter:
        layer = compute * wide + 3 * stream * h
    else:
        copies = 2 if widths.autocast and stream < 4 else 1
        dropped = 2 if work.dropout else 1
        layer = (widths.adapter * dropped + copies * compute) * wide + 3 * stream * h
    if Attention.of(shape, work, device).scores:
        layer = max(layer, shape.heads * positions(shape, work) * (8.0 + compute))
    # Without recomputation the last norm is still kept when its own gradient is made.
    return layer if work.checkpointing else max(layer, 18.0 * h)


def _casts(shape: ModelShape, work: Workload) -> tuple[float, float]:
    """16-bit copies of weights that are kept in 32 bits: of all layers, and of one."""
    if work.precision not in _AUTOCAST:
        return 0.0, 0.0
    whole = layer = 0.0
    if width(work.dtype) > 2:
        for stack in shape.stacks:
            inside = 2.0 * sum(
                linear.weights
                for linear in stack.linears
                if linear.place != "head" and not is_quantised(linear, work)
            )
            whole += inside
            layer = max(layer, inside / stack.layers)
    if work.method in ("lora", "dora") and work.quantisation == "none":
        adapters = 2.0 * trained(shape, work).numbers
        whole, layer = whole + adapters, layer + adapters / shape.layers
    return whole, layer


def _unpacking(shape: ModelShape, work: Workload) -> float:
    """The largest quantised matrix in 16 bits, as it is multiplied, with its scales."""
    if work.quantisation == "none":
        return 0.0
    sizes = [
        linear.inputs * linear.outputs for linear in shape.all_linears if is_quantised(linear, work)
    ]
    scales = 4 / 64 if work.quantisation == "nf4" else 0.0
    return max(sizes, default=0) * (2.0 + scales)
