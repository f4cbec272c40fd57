"""Tiny random models that see, of the families that need no torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GemmaConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
)

from .language import byte_tokenizer

_SIDE, _PATCH = 32, 8
_PATCHES = (_SIDE // _PATCH) ** 2
_IMAGE = "<image>"
_STACK = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_SEEING = {**_STACK, "image_size": _SIDE, "patch_size": _PATCH}
_SIZE = {"height": _SIDE, "width": _SIDE}
# ChatML with the pictures where the message has them.
_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def llava(folder: Path, sample: Path) -> None:
    """A LLaVA of two layers each, with CLIP's image encoder and a chat template."""
    tokenizer = _tokenizer(sample)
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": _SIDE}, crop_size=_SIZE),
        tokenizer,
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**_SEEING, projection_dim=64),
            text_config=_llama(tokenizer),
            image_token_id=tokenizer.convert_tokens_to_ids(_IMAGE),
            image_seq_length=_PATCHES,
            vision_feature_layer=-1,
            **_ids(tokenizer),
        )
    )
    _save(folder, model, processor)


def idefics3(folder: Path, sample: Path) -> None:
    """An Idefics3 of two layers each, which cuts large pictures into tiles; SmolVLM's family."""
    tokenizer = _tokenizer(sample)
    length = _PATCHES // 4
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(
            size={"longest_edge": 2 * _SIDE}, max_image_size={"longest_edge": _SIDE}
        ),
        tokenizer,
        image_seq_len=length,
        chat_template=_TEMPLATE,
    )
    torch.manual_seed(0)
    model = Idefics3ForConditionalGeneration(
        Idefics3Config(
            vision_config={**_SEEING, "model_type": "idefics3_vision"},
            text_config=_llama(tokenizer),
            image_token_id=tokenizer.convert_tokens_to_ids(_IMAGE),
            scale_factor=2,
            **_ids(tokenizer),
        )
    )
    _save(folder, model, processor)


def paligemma(folder: Path, sample: Path) -> None:
    """A PaliGemma of two layers each; like the real one it was never taught to chat."""
    tokenizer = _tokenizer(sample)
    tokenizer.bos_token = "<|im_start|>"
    images = SiglipImageProcessorPil(size=_SIZE)
    images.image_seq_length = _PATCHES
    processor = PaliGemmaProcessor(images, tokenizer)
    torch.manual_seed(0)
    text = GemmaConfig(
        **_STACK,
        vocab_size=len(tokenizer),
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=1024,
        **_ids(tokenizer),
    )
    model = PaliGemmaForConditionalGeneration(
        PaliGemmaConfig(
            vision_config=SiglipVisionConfig(**_SEEING, vision_use_head=False),
            text_config=text,
            image_token_id=tokenizer.convert_tokens_to_ids(_IMAGE),
            projection_dim=64,
            **_ids(tokenizer),
        )
    )
    _save(folder, model, processor)


def _tokenizer(sample: Path) -> Any:
    tokenizer = byte_tokenizer(sample)
    tokenizer.chat_template = None
    tokenizer.add_special_tokens({"additional_special_tokens": [_IMAGE]})
    return tokenizer


def _llama(tokenizer: Any) -> LlamaConfig:
    return LlamaConfig(
        **_STACK,
        # Processors add marks of their own.
        vocab_size=len(tokenizer) + 64,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        **_ids(tokenizer),
    )


def _ids(tokenizer: Any) -> dict[str, int | None]:
    return {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _save(folder: Path, model: Any, processor: Any) -> None:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
