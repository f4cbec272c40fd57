"""The processor of a model that sees, able to lay out talks with pictures in them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from transformers import AutoProcessor

from ..errors import Problem, SpecError
from ..spec import ModelSection

# Pictures first, then the words; an answer ends with the tokenizer's end token.
_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ 'IMAGE' }}{% endif %}{% endfor %}"
    "{% if message['role'] == 'assistant' %}"
    "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{{ 'END' }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ 'BEFORE' + part['text'] + 'AFTER' }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}"
)


def load_processor(section: ModelSection) -> Any:
    """The model's own processor, with a chat template and a padding token.

    Raises:
        SpecError: the model is none that reads pictures with words, or its processor needs a
            package that is not installed.
    """
    try:
        processor = AutoProcessor.from_pretrained(
            section.tokenizer or section.name_or_path,
            revision=section.revision if section.tokenizer is None else None,
            trust_remote_code=section.trust_remote_code,
        )
    except ImportError as error:
        raise SpecError([Problem(_missing(str(error)), "model.name_or_path")]) from error
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None or getattr(processor, "image_processor", None) is None:
        text = "has no processor for pictures with words; choose a model that sees, such as SmolVLM"
        raise SpecError([Problem(text, "model.name_or_path")])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if section.chat_template is not None:
        path = Path(section.chat_template).expanduser()
        if not path.is_file():
            text = f"{section.chat_template!r} is not the path of a .jinja file"
            raise SpecError([Problem(text, "model.chat_template")])
        processor.chat_template = path.read_text(encoding="utf-8")
    if not processor.chat_template:
        processor.chat_template = plain_template(processor)
    return processor


def lays_out(processor: Any) -> bool:
    """Whether the processor puts its own marks around a prompt, as PaliGemma's does.

    Such a model reads its prompt in both directions, and what it is to say has type 1.
    """
    return "suffix" in inspect.signature(type(processor).__call__).parameters


def plain_template(processor: Any) -> str:
    """A template for models that were never taught to talk. Raises SpecError."""
    image, end = getattr(processor, "image_token", None), processor.tokenizer.eos_token
    if not image or not end:
        text = "the model has no chat template and no token for pictures; name a .jinja file"
        raise SpecError([Problem(text, "model.chat_template")])
    around = ("", "") if lays_out(processor) else (r"\n", r"\n")
    words = {"IMAGE": image, "END": end, "BEFORE": around[0], "AFTER": around[1]}
    return re.sub("|".join(words), lambda found: words[found.group()], _TEMPLATE)


def _missing(error: str) -> str:
    """What to install, out of transformers' error."""
    known = ("torchvision", "av", "decord", "timm", "sentencepiece", "Pillow", "num2words")
    for package in known:
        if re.search(rf"\b{package}\b", error, flags=re.IGNORECASE):
            return (
                f"its processor needs {package}, which is not installed: pip install {package} "
                "(LLaVA, Idefics3, SmolVLM of the first series and PaliGemma do without)"
            )
    return f"its processor cannot be loaded: {' '.join(error.split())}"
