"""Tiny models and adapters, written as files so that the test process never loads torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

import luthier.trainers.demo as demo

_WIDTH, _INNER, _LAYERS, _CONTEXT = 32, 64, 2, 4096
_SPECIAL_TOKENS = 6
_NO_WEIGHTS = shutil.ignore_patterns("*.safetensors", "config.json")


def write_model(folder: Path) -> None:
    """A random Llama with the demo's characters and template, which never ends by itself."""
    shutil.copytree(demo.MODEL, folder, ignore=shutil.ignore_patterns("*.safetensors", "gen*"))
    config = json.loads((folder / "config.json").read_text())
    vocabulary = config["vocab_size"]
    config |= {
        "hidden_size": _WIDTH,
        "intermediate_size": _INNER,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": _WIDTH // 2,
        "max_position_embeddings": _CONTEXT,
        "tie_word_embeddings": False,
    }
    (folder / "config.json").write_text(json.dumps(config))
    draw = np.random.default_rng(5)

    def matrix(rows: int, columns: int) -> Any:
        return draw.normal(0, 0.5, (rows, columns)).astype(np.float32)

    ones = np.ones(_WIDTH, dtype=np.float32)
    weights = {
        "model.embed_tokens.weight": matrix(vocabulary, _WIDTH),
        "model.norm.weight": ones,
        "lm_head.weight": matrix(vocabulary, _WIDTH),
    }
    weights["lm_head.weight"][:_SPECIAL_TOKENS] = 0
    for layer in range(_LAYERS):
        head = f"model.layers.{layer}"
        for name in "qkvo":
            weights[f"{head}.self_attn.{name}_proj.weight"] = matrix(_WIDTH, _WIDTH)
        weights[f"{head}.mlp.gate_proj.weight"] = matrix(_INNER, _WIDTH)
        weights[f"{head}.mlp.up_proj.weight"] = matrix(_INNER, _WIDTH)
        weights[f"{head}.mlp.down_proj.weight"] = matrix(_WIDTH, _INNER)
        weights[f"{head}.input_layernorm.weight"] = ones
        weights[f"{head}.post_attention_layernorm.weight"] = ones
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def write_adapter(folder: Path, model: Path, seed: int) -> None:
    """A random LoRA adapter of that model, with its tokenizer."""
    shutil.copytree(model, folder, ignore=_NO_WEIGHTS, dirs_exist_ok=True)
    draw = np.random.default_rng(seed)
    weights = {}
    for layer in range(_LAYERS):
        for name in ("q_proj", "v_proj"):
            head = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            for part, shape in (("lora_A", (4, _WIDTH)), ("lora_B", (_WIDTH, 4))):
                values = draw.normal(0, 0.5, shape).astype(np.float32)
                weights[f"{head}.{part}.weight"] = values
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8}
    config |= {"target_modules": ["q_proj", "v_proj"], "base_model_name_or_path": str(model)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
