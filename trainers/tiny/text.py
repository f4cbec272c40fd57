"""Tiny random models of the text tasks."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, T5Config, T5ForConditionalGeneration

from .tokens import word_tokenizer


def encoder(folder: Path, sample: Path) -> None:
    """A BERT of two layers."""
    tokenizer = word_tokenizer(sample)
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=512,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def encoder_decoder(folder: Path, sample: Path) -> None:
    """A T5 of two layers each way."""
    tokenizer = word_tokenizer(sample)
    # A T5 begins with its padding token and ends with its end token.
    tokenizer.eos_token = tokenizer.sep_token
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=64,
            d_kv=32,
            d_ff=128,
            num_layers=2,
            num_decoder_layers=2,
            num_heads=2,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.sep_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
