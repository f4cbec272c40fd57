"""An adapter folded into its base model."""

from __future__ import annotations

import shutil
from pathlib import Path

import transformers
from peft import PeftModel
from transformers import AutoConfig

from ..errors import LuthierError
from ..registry import find_task
from ..spec import GradientSpec
from .folders import ONLY_FOR_RESUMING, replace_folder, staging
from .models import load_options, model_class

_OF_THE_ADAPTER = shutil.ignore_patterns("adapter_*", "README.md", *ONLY_FOR_RESUMING)


def merge_adapter(adapter: Path, target: Path, spec: GradientSpec) -> None:
    """Write base and adapter as one model, with the tokenizer.

    The base is loaded unquantised: folding into rounded weights would lose what was learnt.

    Raises:
        LuthierError: the adapter is of a kind that has nothing to fold in.
    """
    if spec.peft.method in ("none", "prompt-tuning"):
        raise LuthierError(f"There is nothing to merge with peft.method {spec.peft.method}.")
    section, loading = spec.model, find_task(spec.task).loading
    options = load_options(section)
    if (adapter / "config.json").exists():
        # The head with its class names is the adapter's, not the base model's.
        options["config"] = AutoConfig.from_pretrained(adapter)
    base = model_class(spec).from_pretrained(section.name_or_path, **options)
    merged = PeftModel.from_pretrained(base, adapter).merge_and_unload()
    staged = staging(target)
    shutil.rmtree(staged, ignore_errors=True)
    if not loading.auto_class:
        # What stands around the model, such as the pooling of a sentence transformer.
        shutil.copytree(adapter, staged, ignore=_OF_THE_ADAPTER)
    merged.save_pretrained(staged)
    getattr(transformers, loading.processor).from_pretrained(adapter).save_pretrained(staged)
    replace_folder(staged, target)
