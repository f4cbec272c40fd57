"""Shapes of text encoders, and of encoders with decoders."""

from __future__ import annotations

from dataclasses import replace

from .reading_config import Config, Row, activation_tensors, biases, dtype_of, linears, number
from .shape import Linear, ModelShape

_NAMES = {
    "mpnet": ("q", "k", "v", "o"),
    "deberta-v2": ("query_proj", "key_proj", "value_proj", "dense"),
}


def encoder(config: Config, name: str) -> ModelShape:
    """The shape of a BERT-like encoder with its pooler."""
    kind = str(config["model_type"])
    hidden, layers = number(config, "hidden_size"), number(config, "num_hidden_layers")
    heads, inner = number(config, "num_attention_heads"), number(config, "intermediate_size")
    width = number(config, "embedding_size", default=hidden)
    modules = linears(_encoder_rows(kind, layers, hidden, inner, width))
    context = number(config, "max_position_embeddings", default=512)
    tables = _encoder_tables(config, kind, hidden, width)
    return ModelShape(
        name=name,
        model_type=kind,
        kind="encoder",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        intermediate=inner,
        vocabulary=number(config, "vocab_size"),
        context=context,
        linears=modules,
        embeddings=number(config, "vocab_size") * width,
        others=biases(modules) + tables + 2 * width + 4 * hidden * layers,
        gated=False,
        activation_tensors=activation_tensors(config),
        eager_only=kind in ("deberta-v2", "mpnet"),
        score_tensors=3.5 if kind == "deberta-v2" else 0.0,
        attention_dropout=float(config.get("attention_probs_dropout_prob", 0.1)) > 0,
        rms=False,
        dropouts=2,
        dtype=dtype_of(config),
    )


def _encoder_rows(kind: str, layers: int, hidden: int, inner: int, width: int) -> list[Row]:
    q, k, v, o = _NAMES.get(kind, ("query", "key", "value", "dense"))
    rows: list[Row] = [(part, hidden, hidden, layers, "attention", True) for part in (q, k, v, o)]
    rows += [
        ("dense", hidden, inner, layers, "mlp", True),
        ("dense", inner, hidden, layers, "mlp", True),
    ]
    if kind not in ("deberta-v2", "electra"):
        rows.append(("dense", hidden, hidden, 1, "other", True))
    if width != hidden:
        rows.append(("embeddings_project", width, hidden, 1, "other", True))
    return rows


def _encoder_tables(config: Config, kind: str, hidden: int, width: int) -> int:
    """Numbers in the tables of positions and token types."""
    positions = number(config, "max_position_embeddings", default=512) * width
    if kind == "mpnet":
        buckets = number(config, "relative_attention_num_buckets", default=32)
        return positions + buckets * number(config, "num_attention_heads")
    if kind == "deberta-v2":
        # Relative positions instead of absolute ones, normalised once.
        return 2 * number(config, "position_buckets", default=256) * hidden + 2 * hidden
    return positions + number(config, "type_vocab_size", default=0) * width


def distilbert(config: Config, name: str) -> ModelShape:
    """The shape of a DistilBERT: BERT's layers without pooler and token types."""
    plain = {
        "model_type": "bert",
        "hidden_size": config["dim"],
        "num_hidden_layers": config["n_layers"],
        "num_attention_heads": config["n_heads"],
        "intermediate_size": config["hidden_dim"],
        "hidden_act": config.get("activation", "gelu"),
    }
    shape = encoder({**config, **plain}, name)
    names = ("q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2")
    modules = tuple(
        replace(module, name=own) for module, own in zip(shape.linears, names, strict=False)
    )
    pooler = shape.hidden * shape.hidden + shape.hidden
    return replace(
        shape,
        model_type="distilbert",
        linears=modules,
        others=shape.others - pooler + shape.hidden * shape.hidden,
        attention_dropout=float(config.get("attention_dropout", 0.1)) > 0,
        dropouts=1,
    )


def modern_encoder(config: Config, name: str) -> ModelShape:
    """The shape of a ModernBERT: rotary positions, gates, windows, no biases."""
    hidden, layers = number(config, "hidden_size"), number(config, "num_hidden_layers")
    heads, inner = number(config, "num_attention_heads"), number(config, "intermediate_size")
    modules = linears([
        ("Wqkv", hidden, 3 * hidden, layers, "attention", False),
        ("Wo", hidden, hidden, layers, "attention", False),
        ("Wi", hidden, 2 * inner, layers, "mlp", False),
        ("Wo", inner, hidden, layers, "mlp", False),
    ])  # fmt: skip
    return ModelShape(
        name=name,
        model_type="modernbert",
        kind="encoder",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        intermediate=inner,
        vocabulary=number(config, "vocab_size"),
        context=number(config, "max_position_embeddings", default=8192),
        linears=modules,
        embeddings=number(config, "vocab_size") * hidden,
        # The first layer has no norm before its attention; the embedding and the end have one.
        others=hidden * (2 * layers + 1),
        window=number(config, "local_attention", default=128),
        held_views=2,
        rms=False,
        dtype=dtype_of(config),
    )


def pair(config: Config, name: str) -> ModelShape:
    """The shape of an encoder with a decoder, T5's or BART's."""
    t5 = "d_kv" in config
    hidden, vocabulary = number(config, "d_model"), number(config, "vocab_size")
    layers = number(config, "num_decoder_layers", "decoder_layers", "num_layers")
    front = number(config, "num_layers", "encoder_layers")
    heads = number(config, "num_heads", "decoder_attention_heads")
    size = number(config, "d_kv", default=hidden // heads)
    inner = number(config, "d_ff", "decoder_ffn_dim")
    gated = "gated" in str(config.get("feed_forward_proj", ""))
    sizes = (hidden, heads * size, inner)
    own = _pair_rows(layers, sizes, t5=t5, gated=gated, crossing=True)
    tied = bool(config.get("tie_word_embeddings", True))
    modules = (*own, Linear("lm_head", hidden, vocabulary, 1, "head"))
    behind = _pair_rows(front, sizes, t5=t5, gated=gated, crossing=False)
    affine = 1 if t5 else 2
    tables = _pair_tables(config, t5, hidden, heads)
    shared = ModelShape(
        name=name,
        model_type=str(config["model_type"]),
        kind="encoder-decoder",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=size,
        intermediate=inner,
        vocabulary=vocabulary,
        context=number(config, "n_positions", "max_position_embeddings", default=512),
        linears=modules,
        embeddings=vocabulary * hidden,
        others=biases(own) + affine * hidden * (3 * layers + (1 if t5 else 0)) + tables,
        tied=tied,
        gated=gated,
        activation_tensors=4 if gated else 1,
        eager_only=t5,
        # T5 adds a table of positions to the scores in every layer.
        score_tensors=0.5 if t5 else 0.0,
        attention_dropout=t5 or float(config.get("attention_dropout", 0.0)) > 0,
        norms=3,
        rms=t5,
        dropouts=4,
        dtype=dtype_of(config),
    )
    return replace(shared, tower=_front(shared, front, behind, tables))


def _front(shared: ModelShape, layers: int, modules: tuple[Linear, ...], tables: int) -> ModelShape:
    """The encoder before a decoder of the same sizes."""
    last = 1 if shared.rms else 0
    norms = (1 if shared.rms else 2) * shared.hidden * (2 * layers + last)
    return replace(
        shared,
        kind="encoder",
        layers=layers,
        linears=modules,
        embeddings=0,
        others=biases(modules) + norms + tables,
        norms=2,
        dropouts=3,
    )


def _pair_tables(config: Config, t5: bool, hidden: int, heads: int) -> int:
    """Numbers in the positions of one stack, with BART's norm behind them."""
    if t5:
        return number(config, "relative_attention_num_buckets", default=32) * heads
    return (number(config, "max_position_embeddings", default=1024) + 2) * hidden + 2 * hidden


def _pair_rows(
    layers: int, sizes: tuple[int, int, int], *, t5: bool, gated: bool, crossing: bool
) -> tuple[Linear, ...]:
    hidden, queries, inner = sizes
    names = ("q", "k", "v", "o") if t5 else ("q_proj", "k_proj", "v_proj", "out_proj")
    count, bias = layers * (2 if crossing else 1), not t5
    rows: list[Row] = [(part, hidden, queries, count, "attention", bias) for part in names[:3]]
    rows.append((names[3], queries, hidden, count, "attention", bias))
    ups = ("wi_0", "wi_1") if gated else ("wi",) if t5 else ("fc1",)
    rows += [(up, hidden, inner, layers, "mlp", bias) for up in ups]
    rows.append(("wo" if t5 else "fc2", inner, hidden, layers, "mlp", bias))
    return linears(rows)
