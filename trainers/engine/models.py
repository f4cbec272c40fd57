"""Loading the base model and its tokenizer as the spec says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoTokenizer, BitsAndBytesConfig

from ..errors import Problem, SpecError
from ..registry import find_task
from ..spec import GradientSpec, ModelSection

_TEMPLATES = Path(__file__).parent / "templates"
_COMPUTE = {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}


def load_tokenizer(section: ModelSection) -> Any:
    """The tokenizer, able to pad, with the chat template the spec asks for.

    Raises:
        SpecError: the chat template cannot be used.
    """
    own = section.tokenizer is None
    tokenizer = AutoTokenizer.from_pretrained(
        section.tokenizer or section.name_or_path,
        revision=section.revision if own else None,
        trust_remote_code=section.trust_remote_code,
    )
    if section.chat_template is not None:
        _set_chat_template(tokenizer, section.chat_template)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise SpecError(
            [Problem("the tokenizer has neither a padding nor an end token", "model.tokenizer")]
        )
    return tokenizer


def _set_chat_template(tokenizer: Any, name: str) -> None:
    path = _TEMPLATES / f"{name}.jinja"
    if name not in ("chatml", "zephyr"):
        path = Path(name)
        if not path.is_file():
            known = "chatml, zephyr, or the path of a .jinja file"
            raise SpecError([Problem(f"{name!r} is not {known}", "model.chat_template")])
    tokenizer.chat_template = path.read_text(encoding="utf-8")
    if name == "chatml" and "<|im_end|>" in tokenizer.get_vocab():
        tokenizer.eos_token = "<|im_end|>"


def load_options(section: ModelSection) -> dict[str, Any]:
    """Keyword arguments of ``from_pretrained`` that every load of the base model has."""
    options: dict[str, Any] = {
        "revision": section.revision,
        "trust_remote_code": section.trust_remote_code,
        "use_safetensors": True,
        "dtype": section.dtype if section.dtype == "auto" else getattr(torch, section.dtype),
    }
    # Left open, it is sdpa where the model has that, and plain attention where it has not.
    if section.attn_implementation != "sdpa":
        options["attn_implementation"] = section.attn_implementation
    return options


def model_class(spec: GradientSpec) -> Any:
    """The class of transformers that loads the task's models, or what they are built on."""
    return getattr(transformers, find_task(spec.task).loading.auto_class or "AutoModel")


def load_model(spec: GradientSpec, precision: str, device: str, **more: Any) -> Any:
    """The base model, quantised when the spec says so, not yet on its device.

    Args:
        spec: the run's.
        precision: no, fp16 or bf16.
        device: cpu, cuda or qaic.
        more: further keyword arguments of ``from_pretrained``, such as ``num_labels``.
    """
    section = spec.model
    options = {**load_options(section), **placing(section, precision, device), **more}
    return not_repacked(model_class(spec).from_pretrained(section.name_or_path, **options))


def placing(section: ModelSection, precision: str, device: str) -> dict[str, Any]:
    """Keyword arguments of ``from_pretrained`` for where the weights go, and in how many bits."""
    options: dict[str, Any] = {}
    if section.device_map is not None:
        options["device_map"] = section.device_map
    if section.load_in_4bit or section.load_in_8bit:
        options["quantization_config"] = quantisation(section, _COMPUTE[precision])
        # A quantised model cannot be moved, so it is loaded where it is to stay.
        options.setdefault("device_map", {"": _own_device(device)})
    return options


def not_repacked(model: Any) -> Any:
    """The model, whose 4-bit weights stay as they are.

    bitsandbytes would repack them for CPU inference at the first evaluation, with coarser scales,
    and training would go on with those.
    """
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    return model


def quantisation(section: ModelSection, compute: torch.dtype) -> BitsAndBytesConfig:
    """How bitsandbytes loads the weights of a section that asks for 4 or 8 bits.

    Args:
        compute: number type in which 4-bit weights are multiplied.
    """
    if section.load_in_8bit:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=section.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=section.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=compute,
    )


def _own_device(device: str) -> str | int:
    return torch.cuda.current_device() if device == "cuda" else "cpu"
