"""Tiny random sentence transformers."""

from __future__ import annotations

from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from .text import encoder


def embedder(folder: Path, sample: Path) -> None:
    """A BERT of two layers whose token vectors are averaged."""
    encoder(folder, sample)
    words = Transformer(str(folder))
    model = SentenceTransformer(modules=[words, Pooling(words.get_embedding_dimension())])
    model.save_pretrained(str(folder), create_model_card=False)
