"""How much device memory a worker that answers takes, roughly."""

from __future__ import annotations

from luthier.presets.memory import GIB, model_shape
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import ModelSection

_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
_EIGHT_BIT, _FOUR_BIT = 1.1, 0.65
# Adapters, the cache of a conversation, and what the libraries keep for themselves.
_SHARE, _ROOM = 1.15, 1.0 * GIB


def memory_need(section: ModelSection) -> int | None:
    """Bytes to answer with a model; None when its size is not known on this machine. Reads files.

    The weights as they are loaded, 15% for adapters and the conversation, and 1 GiB.
    """
    try:
        shape = model_shape(section.name_or_path, section.revision)
    except LuthierError:
        return None
    if section.load_in_4bit:
        weights = shape.parameters * _FOUR_BIT
    elif section.load_in_8bit:
        weights = shape.parameters * _EIGHT_BIT
    elif section.dtype == "auto" and shape.checkpoint_bytes:
        weights = shape.checkpoint_bytes
    else:
        weights = shape.parameters * _BYTES.get(
            shape.dtype if section.dtype == "auto" else section.dtype, 4.0
        )
    return int(weights * _SHARE + _ROOM)
