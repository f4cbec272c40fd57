"""Shapes of causal language models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .reading_config import (
    Config,
    Row,
    activation_tensors,
    biases,
    dtype_of,
    linears,
    number,
    quantisation_of,
)
from .shape import ModelShape

_UNGATED = frozenset({"gpt2", "gpt_neox", "gptj", "gpt_neo", "bloom", "opt", "falcon", "phi",
                      "mpt", "starcoder2", "gpt_bigcode", "codegen", "persimmon"})  # fmt: skip
_LAYER_NORM = _UNGATED | {"stablelm", "cohere", "cohere2", "olmo"}
_TIED = frozenset({"gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "gpt_neo", "cohere",
                   "cohere2", "opt", "bloom", "mpt", "falcon", "gpt_bigcode"})  # fmt: skip
_QKV_BIAS = frozenset({"qwen2", "qwen2_moe", "gpt2", "phi", "opt", "bloom", "starcoder2",
                       "gpt_neox", "gpt_bigcode", "qwen2_vl", "qwen2_5_vl", "qwen2_vl_text",
                       "qwen2_5_vl_text"})  # fmt: skip
_NO_OUT_BIAS = frozenset(name for name in _QKV_BIAS if name.startswith("qwen2"))
_GROUPED_NORMS = frozenset({"qwen3", "qwen3_moe", "gemma3", "gemma3_text"})
_WHOLE_NORMS = frozenset({"olmo2", "olmo3", "olmoe"})
_NAMES: dict[str, dict[str, str]] = {
    "gpt2": {"qkv": "c_attn", "o": "c_proj", "up": "c_fc", "down": "c_proj"},
    "gpt_bigcode": {"qkv": "c_attn", "o": "c_proj", "up": "c_fc", "down": "c_proj"},
    "gpt_neox": {"qkv": "query_key_value", "o": "dense", "up": "dense_h_to_4h",
                 "down": "dense_4h_to_h", "head": "embed_out"},
    "bloom": {"qkv": "query_key_value", "o": "dense", "up": "dense_h_to_4h",
              "down": "dense_4h_to_h"},
    "falcon": {"qkv": "query_key_value", "o": "dense", "up": "dense_h_to_4h",
               "down": "dense_4h_to_h"},
    "phi": {"o": "dense", "up": "fc1", "down": "fc2"},
    "phi3": {"qkv": "qkv_proj", "gate_up": "gate_up_proj"},
    "opt": {"o": "out_proj", "up": "fc1", "down": "fc2"},
    "mpt": {"qkv": "Wqkv", "o": "out_proj", "up": "up_proj", "down": "down_proj"},
    "starcoder2": {"up": "c_fc", "down": "c_proj"},
}  # fmt: skip


def decoder(config: Config, name: str) -> ModelShape:
    """The shape of a causal language model."""
    kind = str(config.get("model_type", ""))
    hidden = number(config, "hidden_size", "n_embd", "d_model")
    layers = number(config, "num_hidden_layers", "n_layer", "n_layers", "num_layers")
    heads = number(config, "num_attention_heads", "n_head", "n_heads", "num_heads")
    size = number(config, "head_dim", default=hidden // heads)
    kv_heads = _kv_heads(config, kind, heads)
    vocabulary = number(config, "vocab_size")
    inner = number(config, "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size",
                   default=4 * hidden)  # fmt: skip
    experts, active, expert_inner = _experts(config)
    modules = linears(
        [*_attention(config, kind, layers, hidden, (heads, kv_heads, size)),
         *_feed_forward(config, kind, layers, hidden, inner), _head(kind, hidden, vocabulary)]
    )  # fmt: skip
    context = number(config, "max_position_embeddings", "n_positions", "max_seq_len", default=2048)
    norms = _norms_each(config, kind)
    shape = ModelShape(
        name=name,
        model_type=kind,
        kind="decoder",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_size=size,
        intermediate=expert_inner or inner,
        vocabulary=vocabulary,
        context=context,
        linears=modules,
        embeddings=vocabulary * hidden,
        others=biases(modules)
        + _norm_numbers(kind, layers, hidden, norms, (heads, kv_heads, size))
        + (context * hidden if kind in ("gpt2", "opt", "gpt_bigcode") else 0),
        tied=bool(config.get("tie_word_embeddings", kind in _TIED)),
        experts=experts,
        active_experts=active,
        norms=norms,
        rms=kind not in _LAYER_NORM,
        dtype=dtype_of(config),
        quantised=quantisation_of(config),
    )
    return replace(shape, **_habits(config, shape))


def _habits(config: Config, shape: ModelShape) -> dict[str, Any]:
    """What sets the layers of some families apart."""
    kind, capped = shape.model_type, bool(config.get("attn_logit_softcapping"))
    return {
        "gated": kind not in _UNGATED,
        "activation_tensors": activation_tensors(config),
        "window": _window(config),
        "softcap": bool(config.get("final_logit_softcapping")),
        # One key for all heads is left to broadcasting, which none of torch's kernels takes.
        "eager_only": capped or (kind == "falcon" and shape.kv_heads == 1),
        "capped_scores": capped,
        "attention_dropout": _dropped(config, kind, "attn_pdrop", "attention_dropout"),
        "dropouts": 2 if _dropped(config, kind, "resid_pdrop", "hidden_dropout") else 0,
        "held_views": 1 if kind in ("phi", "phi3") else 0,
        "wide_norms": kind.startswith(("gemma", "olmo")),
        "qk_norm": kind in _GROUPED_NORMS | _WHOLE_NORMS,
    }


def _head(kind: str, hidden: int, vocabulary: int) -> Row:
    name = _NAMES.get(kind, {}).get("head", "lm_head")
    return name, hidden, vocabulary, 1, "head", kind == "phi"


def _kv_heads(config: Config, kind: str, heads: int) -> int:
    if kind in ("falcon", "gpt_bigcode") and not config.get("new_decoder_architecture"):
        return 1 if config.get("multi_query", True) else heads
    return number(config, "num_key_value_heads", "num_kv_heads", default=heads)


def _window(config: Config) -> int:
    # Qwen's configurations name a window and say beside it that it is not used.
    if config.get("use_sliding_window", True) is False:
        return 0
    return int(config.get("sliding_window") or 0)


def _dropped(config: Config, kind: str, *names: str) -> bool:
    # GPT-2's configuration class has dropout unless told otherwise.
    default = 0.1 if kind == "gpt2" else 0.0
    return any(float(config.get(name, default) or 0) > 0 for name in names)


def _experts(config: Config) -> tuple[int, int, int]:
    experts = number(config, "num_local_experts", "num_experts", "n_routed_experts", default=0)
    if not experts:
        return 0, 0, 0
    active = number(config, "num_experts_per_tok", "num_experts_per_token", default=2)
    return experts, active, number(config, "moe_intermediate_size", "intermediate_size")


def _attention(
    config: Config, kind: str, layers: int, hidden: int, sizes: tuple[int, int, int]
) -> list[Row]:
    names, (heads, kv_heads, size) = _NAMES.get(kind, {}), sizes
    said = config.get("attention_bias", config.get("bias", config.get("use_bias")))
    bias = bool(kind in _QKV_BIAS if said is None else said)
    # Qwen2's projections into attention have biases, the one out of it has none.
    out_bias = bias and kind not in _NO_OUT_BIAS
    queries, keys = heads * size, kv_heads * size
    out: Row = (names.get("o", "o_proj"), queries, hidden, layers, "attention", out_bias)
    if "qkv" in names:
        return [(names["qkv"], hidden, queries + 2 * keys, layers, "attention", bias), out]
    return [
        ("q_proj", hidden, queries, layers, "attention", bias),
        ("k_proj", hidden, keys, layers, "attention", bias),
        ("v_proj", hidden, keys, layers, "attention", bias),
        out,
    ]


def _feed_forward(
    config: Config, kind: str, layers: int, hidden: int, inner: int
) -> list[Row]:  # fmt: skip
    names = _NAMES.get(kind, {})
    if _experts(config)[0]:
        return _expert_rows(config, layers, hidden, inner)
    default = kind in _UNGATED and kind not in ("falcon", "mpt")
    said = config.get("mlp_bias", config.get("bias", config.get("use_bias")))
    bias = bool(default if said is None else said)
    down: Row = (names.get("down", "down_proj"), inner, hidden, layers, "mlp", bias)
    if "gate_up" in names:
        return [(names["gate_up"], hidden, 2 * inner, layers, "mlp", bias), down]
    up: Row = (names.get("up", "up_proj"), hidden, inner, layers, "mlp", bias)
    if kind in _UNGATED:
        return [up, down]
    return [("gate_proj", hidden, inner, layers, "mlp", bias), up, down]


def _expert_rows(config: Config, layers: int, hidden: int, inner: int) -> list[Row]:
    experts, _, expert_inner = _experts(config)
    dense = number(config, "first_k_dense_replace", default=0)
    sparse = layers - dense
    shared = number(config, "n_shared_experts", default=0) * expert_inner
    shared = shared or number(config, "shared_expert_intermediate_size", default=0)
    rows: list[Row] = [
        # The router is a bare matrix, which peft does not adapt.
        ("gate", hidden, experts, sparse, "router", False),
        ("gate_up_proj", hidden, 2 * expert_inner, sparse * experts, "expert", False),
        ("down_proj", expert_inner, hidden, sparse * experts, "expert", False),
    ]
    for count, wide in ((sparse, shared), (dense, inner)):
        rows += [
            ("gate_proj", hidden, wide, count, "mlp", False),
            ("up_proj", hidden, wide, count, "mlp", False),
            ("down_proj", wide, hidden, count, "mlp", False),
        ]
    return [row for row in rows if row[2] and row[3]]


def _norms_each(config: Config, kind: str) -> int:
    if kind in ("gemma2", "gemma3", "gemma3_text"):
        return 4
    parallel = kind == "falcon" and config.get("parallel_attn", True)
    if parallel and config.get("new_decoder_architecture"):
        return number(config, "num_ln_in_parallel_attn", default=2)
    return 1 if parallel or kind in ("phi", "cohere", "cohere2") else 2


def _norm_numbers(
    kind: str, layers: int, hidden: int, norms: int, sizes: tuple[int, int, int]
) -> int:
    if kind == "olmo":
        return 0
    heads, kv_heads, size = sizes
    own = 2 * size if kind in _GROUPED_NORMS else 0
    if kind in _WHOLE_NORMS:
        own = (heads + kv_heads) * size
    affine = 2 if kind in _UNGATED | {"stablelm"} else 1
    first = 2 * hidden if kind == "bloom" else 0
    return affine * hidden * (norms * layers + 1) + own * layers + first
