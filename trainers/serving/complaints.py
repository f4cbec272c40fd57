"""What went wrong in the worker, said in one sentence. Imports nothing heavy."""

from __future__ import annotations

from ..errors import LuthierError

_TRAINING_PARTS = {"torch", "transformers", "peft", "accelerate", "bitsandbytes"}


def explain(error: BaseException) -> str:
    """One sentence for a person, with a remedy where one is known."""
    if isinstance(error, LuthierError):
        return str(error)
    kind, said = type(error).__name__, _first_sentence(str(error))
    if kind in ("OutOfMemoryError", "MemoryError") or "out of memory" in said.lower():
        return (
            f"Not enough memory: {said or kind} Close other chats, wait for runs to end, or take "
            "a smaller model or fewer tokens."
        )
    if isinstance(error, ModuleNotFoundError) and error.name in _TRAINING_PARTS:
        return f'{error.name} is not installed; install it with: pip install "luthier[train]"'
    if isinstance(error, OSError):
        return said or kind
    return f"{kind}: {said}" if said else kind


def _first_sentence(text: str) -> str:
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first if not first or first[-1] in ".!?:" else f"{first}."
