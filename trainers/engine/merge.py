"""An adapter folded into its base model."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..errors import LuthierError
from ..spec import TextSpec
from .folders import replace_folder, staging


def merge_adapter(adapter: Path, target: Path, spec: TextSpec) -> None:
    """Write base and adapter as one model, with the tokenizer.

    The base is loaded unquantised: folding into rounded weights would lose what was learnt.

    Raises:
        LuthierError: the adapter is of a kind that has nothing to fold in.
    """
    if spec.peft.method in ("none", "prompt-tuning"):
        raise LuthierError(f"There is nothing to merge with peft.method {spec.peft.method}.")
    section = spec.model
    base = AutoModelForCausalLM.from_pretrained(
        section.name_or_path,
        revision=section.revision,
        trust_remote_code=section.trust_remote_code,
        dtype=section.dtype if section.dtype == "auto" else getattr(torch, section.dtype),
        use_safetensors=True,
    )
    merged = PeftModel.from_pretrained(base, adapter).merge_and_unload()
    staged = staging(target)
    shutil.rmtree(staged, ignore_errors=True)
    merged.save_pretrained(staged)
    AutoTokenizer.from_pretrained(adapter).save_pretrained(staged)
    replace_folder(staged, target)
