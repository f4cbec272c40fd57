"""What usually lies behind an error of the libraries, in plain words. Torch-free."""

from __future__ import annotations

import errno
from typing import NamedTuple

from .memory import is_out_of_memory


class _Cause(NamedTuple):
    """Texts (lower case), one of which is in the error, and what to do about it."""

    texts: tuple[str, ...]
    hint: str


_CAUSES = (
    _Cause(
        ("gated repo", "403 client error", "awaiting a review", "access to model"),
        "The repository asks for consent: accept its terms on the hub with your account, then "
        "set HF_TOKEN where the agent runs.",
    ),
    _Cause(
        ("401 client error", "invalid user token", "invalid username or password"),
        "The hub refused the token: set a valid HF_TOKEN where the agent runs.",
    ),
    _Cause(
        (
            "offline mode",
            "offlinemodeisenabled",
            "localentrynotfound",
            "couldn't connect to",
            "cannot find the requested files in the local cache",
            "outgoing traffic has been disabled",
        ),
        "It is not on this machine and the run is offline: download it first, name a local "
        "folder, or turn launch.offline off.",
    ),
    _Cause(
        (
            "is not a local folder and is not a valid model identifier",
            "repository not found",
            "repo id must",
            "404 client error",
        ),
        "Check the spelling of model.name_or_path; a local folder is written with its path.",
    ),
    _Cause(
        ("trust_remote_code", "requires you to execute the configuration file"),
        "The model brings its own code. If you trust the source, set model.trust_remote_code.",
    ),
    _Cause(
        ("chat_template is not set", "chat template"),
        "Set model.chat_template to chatml, or use a model whose tokenizer has a chat template.",
    ),
    _Cause(
        ("flash_attn", "flash attention", "flashattention"),
        "flash_attention_2 needs the flash-attn package and a recent NVIDIA GPU; "
        "model.attn_implementation sdpa works everywhere.",
    ),
    _Cause(
        ("bitsandbytes", "libbitsandbytes"),
        "4- and 8-bit loading and 8-bit optimizers need the bitsandbytes package for this "
        "machine: pip install bitsandbytes.",
    ),
    _Cause(("deepspeed",), "DeepSpeed is not installed or not set up here: pip install deepspeed."),
    _Cause(
        ("no space left on device", "disk quota exceeded"),
        "Free some space, or lower training.save_total_limit.",
    ),
    _Cause(
        ("target modules", "target_modules"),
        "peft.target_modules names no module of this model; all-linear fits every model.",
    ),
    _Cause(
        ("safetensors", "pytorch_model.bin", "use_safetensors"),
        "Only safetensors weights are loaded; take a revision of the model that has them.",
    ),
    _Cause(
        ("no kernel image is available", "nvidia driver on your system is too old"),
        "The installed torch does not fit this GPU or driver: install the build that does.",
    ),
    _Cause(
        ("index out of range in self", "device-side assert"),
        "The tokenizer has more tokens than the model: model.tokenizer must belong to the model.",
    ),
    _Cause(
        ("connection closed by peer", "connection reset", "timed out waiting", "watchdog"),
        "Another process of this run ended or hung; its own message is in the log.",
    ),
    _Cause(
        ("unrecognized model", "unrecognized configuration"),
        "model.name_or_path holds no causal language model that transformers knows.",
    ),
)


def hint_for(error: BaseException) -> str:
    """The likely remedy, empty when nothing fits."""
    if is_out_of_memory(error):
        return (
            "Lower training.per_device_train_batch_size, turn training.gradient_checkpointing "
            "on, use shorter rows, or load the model in 4 bits."
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space, or lower training.save_total_limit."
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"The package {error.name} is missing here: pip install {error.name}."
    text = f"{type(error).__name__} {error}".lower()
    for cause in _CAUSES:
        if any(part in text for part in cause.texts):
            return cause.hint
    return ""
