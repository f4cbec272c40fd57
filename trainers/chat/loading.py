"""Loading the base model, its tokenizer and adapters as a run has them. Loads torch."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

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
        quantization_config=_quantisation(section),
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


def add_adapter(model: Any, folder: Path, name: str, tokenizer: Any) -> Any:
    """Load an adapter beside those there are; returns the model that has it.

    Raises:
        LuthierError: the folder has no adapter in the safetensors format.
    """
    from peft import PeftModel

    if not (folder / "adapter_model.safetensors").exists():
        raise LuthierError(f"{folder} has no adapter_model.safetensors; no adapter can be loaded.")
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    # Tokens that were added for training have rows in the adapter and none in the base yet.
    if len(tokenizer) > base.get_input_embeddings().num_embeddings:
        base.resize_token_embeddings(len(tokenizer))
    device = str(base.device)
    if isinstance(model, PeftModel):
        model.load_adapter(folder, adapter_name=name, torch_device=device)
        return model
    return PeftModel.from_pretrained(base, folder, adapter_name=name, torch_device=device).eval()


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


def _quantisation(section: ModelSection) -> BitsAndBytesConfig | None:
    if section.load_in_4bit:
        compute = torch.bfloat16 if section.dtype == "auto" else getattr(torch, section.dtype)
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=section.bnb_4bit_quant_type,
            bnb_4bit_use_double_quant=section.bnb_4bit_use_double_quant,
            bnb_4bit_compute_dtype=compute,
        )
    return BitsAndBytesConfig(load_in_8bit=True) if section.load_in_8bit else None
