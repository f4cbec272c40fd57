"""Texts as vectors, each different text encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def vectors_of(model: Any, texts: Sequence[str], prompt: str, batch_size: int) -> np.ndarray:
    """The vectors of texts, in their order (texts, numbers).

    Args:
        model: a SentenceTransformer.
        prompt: what is put before each text; empty: nothing.
        batch_size: texts at a time.
    """
    unique = list(dict.fromkeys(texts))
    rows = model.encode(unique, prompt=prompt, batch_size=batch_size, show_progress_bar=False)
    place = {text: number for number, text in enumerate(unique)}
    return np.asarray(rows, np.float32)[[place[text] for text in texts]]
