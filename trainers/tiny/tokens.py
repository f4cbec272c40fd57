"""A tokenizer made from the words of a sample dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

_PAD, _UNKNOWN, _BEGIN, _END, _MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"


def word_tokenizer(sample: Path, size: int = 600) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer of the manner of BERT's, over the texts of the sample's files."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = [_PAD, _UNKNOWN, _BEGIN, _END, _MASK]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(sample_texts(sample), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A {_END}",
        pair=f"{_BEGIN} $A {_END} $B:1 {_END}:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (_BEGIN, _END)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_PAD,
        unk_token=_UNKNOWN,
        cls_token=_BEGIN,
        sep_token=_END,
        mask_token=_MASK,
        model_max_length=512,
    )


def sample_texts(sample: Path) -> Iterator[str]:
    """Every text in the JSON lines of a folder, lists and mappings looked into."""
    for path in sorted(sample.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield from _texts(json.loads(line))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
