"""What of a model decides its memory: how many layers of which sizes, and what is in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["decoder", "encoder", "encoder-decoder", "vision", "detector", "vision-language"]
Place = Literal["attention", "mlp", "expert", "router", "head", "other"]

BYTES = {
    "float64": 8.0,
    "float32": 4.0,
    "bfloat16": 2.0,
    "float16": 2.0,
    "float8": 1.0,
    "int8": 1.0,
    "uint8": 1.0,
}
"""Bytes of one number of each type."""


@dataclass(frozen=True, slots=True)
class Linear:
    """All linear modules of one name and size: each maps ``inputs`` to ``outputs`` numbers.

    Attributes:
        name: the last part of the module's name, such as ``q_proj``.
        count: how many there are in the whole model.
        place: the part of a layer that they belong to.
        bias: whether they add a bias.
        fused: whether they are slices of one tensor (experts), which peft and bitsandbytes do not
            see as linear modules.
    """

    name: str
    inputs: int
    outputs: int
    count: int
    place: Place
    bias: bool = False
    fused: bool = False

    @property
    def weights(self) -> int:
        """Numbers in the matrices, without biases."""
        return self.inputs * self.outputs * self.count

    @property
    def biases(self) -> int:
        """Numbers in the biases."""
        return self.outputs * self.count if self.bias else 0


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a model, read without loading it.

    Attributes:
        name: folder or hub id.
        model_type: the architecture's name in config.json, such as ``llama``.
        kind: what sort of network it is.
        layers: layers of the main stack (of the decoder in an encoder-decoder).
        hidden: width of the stream between layers.
        heads: attention heads.
        kv_heads: heads of keys and values.
        head_size: width of one head.
        intermediate: width inside the feed-forward block (of one expert where there are experts).
        vocabulary: tokens; 0 for models of images.
        context: longest input in tokens.
        linears: every linear module by name and size, the language-model head among them.
        embeddings: numbers in the token embedding.
        others: numbers in norms, biases, position tables, convolutions.
        tied: whether the head is the token embedding.
        gated: whether the feed-forward block has a gate beside its way up.
        activation_tensors: tensors of the inner width that the activation function keeps; 1 unless
            it is written out in several operations.
        experts: experts of a layer, 0 for none.
        active_experts: experts that one token goes through.
        window: sliding attention window of some layers, 0 for none.
        softcap: whether the final logits are capped, which costs one more copy of them.
        eager_only: whether the architecture always makes the table of attention scores.
        capped_scores: whether attention scores are capped, which keeps one more table of them.
        score_tensors: further tables of scores that the architecture keeps (DeBERTa's positions).
        attention_dropout: whether attention drops scores, which only kernels of GPUs do without a
            table of them.
        held_views: tensors as wide as the queries that a view of a joined projection keeps alive.
        qk_norm: whether queries and keys are normalised.
        wide_norms: whether RMS norms multiply with their weight in 32 bits.
        norms: norms of one layer, those of queries and keys not counted.
        rms: whether the norms are RMS norms and not layer norms.
        dropouts: dropouts on the stream in one layer; the mask of each is kept.
        dtype: number type of the checkpoint.
        quantised: how the checkpoint itself is quantised (``gptq``, ``bitsandbytes``…), or "".
        checkpoint_bytes: size of the weights on disk, 0 where not known.
        tower: the second stack, if there is one: the image encoder, or the encoder of a pair.
        tokens: positions of one input of a stack that works on images, 0 for text.
        outside: numbers that one input keeps outside the layers (a convolutional backbone).
        source: where these facts come from.
    """

    name: str
    model_type: str
    kind: Kind
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    vocabulary: int
    context: int
    linears: tuple[Linear, ...]
    embeddings: int
    others: int
    tied: bool = False
    gated: bool = True
    activation_tensors: int = 1
    experts: int = 0
    active_experts: int = 0
    window: int = 0
    softcap: bool = False
    eager_only: bool = False
    capped_scores: bool = False
    score_tensors: float = 0.0
    attention_dropout: bool = False
    held_views: int = 0
    qk_norm: bool = False
    wide_norms: bool = False
    norms: int = 2
    rms: bool = True
    dropouts: int = 0
    dtype: str = "bfloat16"
    quantised: str = ""
    checkpoint_bytes: int = 0
    tower: ModelShape | None = None
    tokens: int = 0
    outside: int = 0
    source: str = "config.json"

    @property
    def stacks(self) -> tuple[ModelShape, ...]:
        """The main stack and the one beside it."""
        return (self,) if self.tower is None else (self, self.tower)

    @property
    def all_linears(self) -> tuple[Linear, ...]:
        """The linear modules of all stacks."""
        return self.linears if self.tower is None else self.linears + self.tower.all_linears

    def without_head(self) -> ModelShape:
        """The same where another head takes the place of the language model's."""
        kept = tuple(linear for linear in self.linears if linear.place != "head")
        return self if len(kept) == len(self.linears) else replace(self, linears=kept)

    @property
    def places(self) -> tuple[tuple[str, ModelShape, tuple[Linear, ...]], ...]:
        """The parts of the model, each with the stack that it is in and its linear modules.

        A model that sees has the parts language, projector and vision; another is language alone.
        """
        if self.kind != "vision-language" or self.tower is None:
            return tuple(("language", stack, stack.linears) for stack in self.stacks)
        between = tuple(linear for linear in self.linears if linear.place == "other")
        words = tuple(linear for linear in self.linears if linear.place != "other")
        tower = self.tower
        return (
            ("language", self, words),
            ("projector", self, between),
            ("vision", tower, tower.linears),
        )

    @property
    def picture_tokens(self) -> int:
        """Places that one picture has among those of the language model; 0 without pictures."""
        tower = self.tower
        if self.kind != "vision-language" or tower is None:
            return 0
        between = next((linear for linear in self.linears if linear.place == "other"), None)
        # What joins neighbouring patches is as many times wider as it joins.
        joined = between.inputs // tower.hidden if between is not None else 1
        return tower.tokens // max(1, joined)

    @property
    def parameters(self) -> int:
        """Numbers in the whole model; a tied head counts once."""
        return sum(
            stack.linear_parameters + stack.embeddings + stack.others for stack in self.stacks
        )

    @property
    def linear_parameters(self) -> int:
        """Numbers in the matrices of this stack's linear modules; a tied head is no matrix."""
        return sum(
            linear.weights for linear in self.linears if not (self.tied and linear.place == "head")
        )

    @property
    def head_parameters(self) -> int:
        """Numbers in the language-model head, tied or not; 0 for models without one."""
        return sum(linear.weights for linear in self.linears if linear.place == "head")

    @property
    def active_parameters(self) -> int:
        """Numbers in the matrices that one token goes through, the head among them."""
        total = sum(linear.weights for linear in self.all_linears)
        if not self.experts:
            return total
        idle = self.experts - min(self.active_experts, self.experts)
        inside = sum(linear.weights for linear in self.linears if linear.place == "expert")
        return total - inside * idle // self.experts
