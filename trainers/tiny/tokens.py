"""A tokenizer made from the words of a sample dataset."""

from __future__ import annotations

import json
from collections import Counter
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
)
from transformers import PreTrainedTokenizerFast

_PAD, _UNKNOWN, _BEGIN, _END, _MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"


def word_tokenizer(sample: Path, size: int = 600) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer of the manner of BERT's, over the texts of the sample's files.

    It knows every character and the most frequent words, ``size`` tokens at most, and is the same
    each time.
    """
    special = [_PAD, _UNKNOWN, _BEGIN, _END, _MASK]
    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        word
        for text in sample_texts(sample)
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    )
    characters = sorted({character for word in counts for character in word})
    # The library's own trainer chooses by chance among words that are equally frequent.
    words = sorted((word for word in counts if len(word) > 1), key=lambda w: (-counts[w], w))
    tokens = [*special, *characters, *(f"##{each}" for each in characters), *words][:size]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
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
