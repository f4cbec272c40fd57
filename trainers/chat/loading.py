"""Loading the base model, its tokenizer and adapters as a run has them. Loads torch."""

from __future__ import annotations

import gc
import importlib
import os
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from ..engine.models import quantisation
from ..errors import LuthierError
from ..spec import ModelSection


def find_device() -> torch.device:
    """The device that LUTHIER_DEVICE names; silent: a GPU where there is one, else the CPU.

    Raises:
        LuthierError: the device is unknown or not there.
    """
    name = os.environ.get("LUTHIER_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name == "cuda":
        if not torch.cuda.is_available():
            raise LuthierError("torch sees no CUDA device.", hint="Look with: luthier doctor")
        return torch.device("cuda", 0)
    if name == "qaic":
        importlib.import_module("torch_qaic")
        return torch.device("qaic", 0)
    raise LuthierError(f"LUTHIER_DEVICE is {name!r}; it can be cpu, cuda or qaic.")


def load_model(section: ModelSection, device: torch.device) -> Any:
    """The base model on its device, frozen and ready to answer.

    Weights come from safetensors files only, in the number type and with the quantisation that
    the run was trained with. ``device_map: auto`` spreads over every GPU that is visible.
    """
    model = AutoModelForCausalLM.from_pretrained(
        section.name_or_path,
        revision=section.revision,
        dtype=section.dtype,
        quantization_config=_quantisation(section, device),
        attn_implementation=section.attn_implementation,
        trust_remote_code=section.trust_remote_code,
        use_safetensors=True,
        device_map=_device_map(section, device),
    )
    if model.device.type == "cpu" and device.type != "cpu":
        model = model.to(device)
    return model.eval().requires_grad_(False)


def load_tokenizer(section: ModelSection) -> Any:
    """The base model's own tokenizer."""
    return _tokenizer(
        section.tokenizer or section.name_or_path,
        revision=None if section.tokenizer else section.revision,
        trust_remote_code=section.trust_remote_code,
    )


def load_adapter_tokenizer(folder: Path, section: ModelSection) -> Any:
    """The tokenizer saved with an adapter, which has the template it was trained with."""
    if not (folder / "tokenizer_config.json").exists():
        return load_tokenizer(section)
    return _tokenizer(str(folder), revision=None, trust_remote_code=section.trust_remote_code)


def add_adapter(model: Any, folder: Path, name: str) -> Any:
    """Load an adapter beside those there are; returns the model that has it.

    The model is as before when this fails.

    Raises:
        LuthierError: the folder has no adapter in the safetensors format.
    """
    from peft import PeftConfig, PeftModel, get_peft_model

    if not (folder / "adapter_model.safetensors").exists():
        raise LuthierError(f"{folder} has no adapter_model.safetensors; no adapter can be loaded.")
    first = not isinstance(model, PeftModel)
    adapted = model
    if first:
        config = PeftConfig.from_pretrained(folder)
        config.inference_mode = True
        adapted = get_peft_model(model, config, adapter_name=name).eval()
    try:
        adapted.load_adapter(folder, adapter_name=name, torch_device=str(model.device))
    except Exception:
        if not first and name in adapted.peft_config:
            adapted.delete_adapter(name)
        elif first and not config.is_prompt_learning:
            adapted.unload()
        raise
    return adapted


def release_memory(device: torch.device) -> None:
    """Give back what a broken generation left, so that the next one has room."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def context_length(model: Any) -> int | None:
    """The longest sequence that the model takes, where its configuration says so."""
    found = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(found) if found else None


def _tokenizer(source: str, *, revision: str | None, trust_remote_code: bool) -> Any:
    return AutoTokenizer.from_pretrained(
        source, revision=revision, trust_remote_code=trust_remote_code, padding_side="left"
    )


def _device_map(section: ModelSection, device: torch.device) -> Any:
    if section.device_map == "auto" and device.type == "cuda":
        return "auto"
    if device.type == "cuda" or section.load_in_4bit or section.load_in_8bit:
        return {"": str(device)}
    return None


def _quantisation(section: ModelSection, device: torch.device) -> BitsAndBytesConfig | None:
    if not (section.load_in_4bit or section.load_in_8bit):
        return None
    bfloat = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    return quantisation(section, torch.bfloat16 if bfloat else torch.float16)
