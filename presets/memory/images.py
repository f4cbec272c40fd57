"""Shapes of image encoders, detectors, and language models that see."""

from __future__ import annotations

from dataclasses import replace

from .decoders import decoder
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

_TEXT_DEFAULTS: dict[str, dict[str, int]] = {
    "llama": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
              "num_attention_heads": 32, "vocab_size": 32000},
    "mistral": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
                "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000},
    "gemma": {"hidden_size": 3072, "intermediate_size": 24576, "num_hidden_layers": 28,
              "num_attention_heads": 16, "head_dim": 256, "vocab_size": 256000},
}  # fmt: skip
"""What transformers' configuration classes fill in; a config.json may leave it out."""
_VISION_DEFAULTS = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
                    "num_attention_heads": 12, "image_size": 224, "patch_size": 16}  # fmt: skip
_RESNET50 = 23_454_912
"""Numbers in its convolutions; the norms between them are frozen and not counted."""
_RESNET50_KEPT = 16_600_000
"""Numbers that a ResNet-50 keeps of an image of 224x224: what its convolutions, with the rectifiers
behind them, put out (11.1 million), and half as much again where shortcuts are added."""


def image_encoder(config: Config, name: str) -> ModelShape:
    """The shape of a vision transformer."""
    config = {**_VISION_DEFAULTS, **config}
    kind = str(config["model_type"])
    hidden, layers = number(config, "hidden_size"), number(config, "num_hidden_layers")
    heads, inner = number(config, "num_attention_heads"), number(config, "intermediate_size",
                                                                 default=4 * hidden)  # fmt: skip
    patch, channels = number(config, "patch_size"), number(config, "num_channels", default=3)
    patches = _patches(config["image_size"], patch)
    extra = {"deit": 2, "yolos": 1 + number(config, "num_detection_tokens", default=100),
             "siglip_vision_model": 0, "idefics3_vision": 0}.get(kind, 1)  # fmt: skip
    modules = linears(_image_rows(kind, layers, hidden, inner))
    positions = (patches + 2 * extra) * hidden
    if config.get("use_mid_position_embeddings"):
        positions += (layers - 1) * (patches + extra) * hidden
    # CLIP's convolution has no bias, but there is a norm before its layers as well.
    convolution = channels * patch * patch * hidden
    convolution += 2 * hidden if kind == "clip_vision_model" else hidden
    return ModelShape(
        name=name,
        model_type=kind,
        kind="detector" if kind == "yolos" else "vision",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        intermediate=inner,
        vocabulary=0,
        context=patches + extra,
        linears=modules,
        embeddings=0,
        others=biases(modules) + convolution + positions + 2 * hidden * (2 * layers + 1),
        gated=False,
        activation_tensors=activation_tensors(config),
        rms=False,
        dtype=dtype_of(config),
        quantised=quantisation_of(config),
        tokens=patches + extra,
    )


def _image_rows(kind: str, layers: int, hidden: int, inner: int) -> list[Row]:
    clip = kind in ("clip_vision_model", "siglip_vision_model", "idefics3_vision")
    names = ("query", "key", "value", "dense")
    if clip:
        names = ("q_proj", "k_proj", "v_proj", "out_proj")
    rows: list[Row] = [(part, hidden, hidden, layers, "attention", True) for part in names]
    rows += [
        ("fc1" if clip else "dense", hidden, inner, layers, "mlp", True),
        ("fc2" if clip else "dense", inner, hidden, layers, "mlp", True),
    ]
    return rows + _detection_heads(hidden) if kind == "yolos" else rows


def _detection_heads(hidden: int, classes: int = 92) -> list[Row]:
    """Three layers for the box, and as many or one for its class."""
    return [
        ("layers", hidden, hidden, 4, "other", True),
        ("layers", hidden, 4, 1, "other", True),
        ("layers", hidden, classes, 1, "other", True),
    ]


def _patches(size: object, patch: int) -> int:
    if isinstance(size, (list, tuple)):
        return (int(size[0]) // patch) * (int(size[1]) // patch)
    return (int(str(size)) // patch) ** 2


def convolutional_detector(config: Config, name: str) -> ModelShape:
    """The shape of a DETR: a ResNet-50, then an encoder and a decoder.

    Images are taken as 800 by 1066 pixels, the size that its processor makes of most photographs.
    """
    hidden = number(config, "d_model")
    front, layers = number(config, "encoder_layers"), number(config, "decoder_layers")
    heads, inner = number(config, "encoder_attention_heads"), number(config, "encoder_ffn_dim")
    queries = number(config, "num_queries", default=100)
    own = linears(_attending_rows(layers, 2, hidden, inner) + _class_and_box(hidden))
    behind = linears(_attending_rows(front, 1, hidden, inner))
    shape = ModelShape(
        name=name,
        model_type=str(config["model_type"]),
        kind="detector",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        intermediate=inner,
        vocabulary=0,
        context=queries,
        linears=own,
        embeddings=0,
        others=biases(own) + 2 * hidden * (3 * layers + 1) + queries * hidden,
        gated=False,
        norms=3,
        rms=False,
        dropouts=3,
        dtype=dtype_of(config),
        tokens=queries,
    )
    tower = replace(
        shape,
        kind="vision",
        layers=front,
        linears=behind,
        others=biases(behind) + 4 * hidden * front + _RESNET50 + 2048 * hidden + hidden,
        norms=2,
        dropouts=2,
        tokens=25 * 33,
        outside=int(_RESNET50_KEPT * 800 * 1066 / 224**2),
    )
    return replace(shape, tower=tower)


def _attending_rows(layers: int, attentions: int, hidden: int, inner: int) -> list[Row]:
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    rows: list[Row] = [
        (part, hidden, hidden, layers * attentions, "attention", True) for part in names
    ]
    return [
        *rows,
        ("fc1", hidden, inner, layers, "mlp", True),
        ("fc2", inner, hidden, layers, "mlp", True),
    ]


def _class_and_box(hidden: int, classes: int = 92) -> list[Row]:
    return [
        ("layers", hidden, hidden, 2, "other", True),
        ("layers", hidden, 4, 1, "other", True),
        ("class_labels_classifier", hidden, classes, 1, "other", True),
    ]


def vision_language(config: Config, name: str) -> ModelShape:
    """The shape of a language model with an image encoder."""
    text, vision = dict(config["text_config"]), dict(config["vision_config"])
    text = {**_TEXT_DEFAULTS.get(str(text.get("model_type", "")), {}), **text}
    for key in ("dtype", "torch_dtype", "tie_word_embeddings"):
        if key in config:
            text.setdefault(key, config[key])
    kind = str(config["model_type"])
    if kind in ("idefics3", "smolvlm"):
        vision["model_type"] = "idefics3_vision"
    vision.setdefault("model_type", "clip_vision_model")
    language, tower = decoder(text, name), image_encoder(vision, name)
    between = linears(_bridge(kind, config, tower.hidden, language.hidden))
    # Idefics3 cuts an image into up to sixteen tiles and adds the whole.
    tiles = 17 if kind in ("idefics3", "smolvlm") else 1
    return replace(
        language,
        model_type=kind,
        kind="vision-language",
        linears=language.linears + between,
        others=language.others + biases(between),
        dtype=dtype_of(config) if dtype_of(config) != "float32" else language.dtype,
        quantised=quantisation_of(config),
        tower=replace(tower, dtype=language.dtype, tokens=tower.tokens * tiles),
    )


def _bridge(kind: str, config: Config, vision: int, text: int) -> list[Row]:
    if kind in ("idefics3", "smolvlm"):
        return [("proj", vision * number(config, "scale_factor", default=2) ** 2, text, 1,
                 "other", False)]  # fmt: skip
    if kind == "paligemma":
        return [("linear", vision, text, 1, "other", True)]
    return [("linear_1", vision, text, 1, "other", True),
            ("linear_2", text, text, 1, "other", True)]  # fmt: skip
