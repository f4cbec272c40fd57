"""Tiny random language models."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .tokens import sample_texts

_END = "<|im_end|>"
_SPECIAL = ["<|pad|>", _END, "<|im_start|>"]
# ChatML, with what a chat needs to know which turns are the assistant's.
_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def causal_model(folder: Path, sample: Path) -> None:
    """A Llama of two layers with a byte-level tokenizer and ChatML."""
    _llama(folder, sample, layers=2)


def student_and_teacher(folder: Path, sample: Path) -> None:
    """The same, with a larger one of the same vocabulary in the folder ``teacher`` in it."""
    _llama(folder, sample, layers=2)
    _llama(folder / "teacher", sample, layers=3)


def _llama(folder: Path, sample: Path, layers: int) -> None:
    tokenizer = byte_tokenizer(sample)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=layers,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def byte_tokenizer(sample: Path, size: int = 600) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer over the texts of the sample's files; it knows every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample_texts(sample), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_SPECIAL[0],
        eos_token=_END,
        chat_template=_TEMPLATE,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
