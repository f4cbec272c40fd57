"""What the loss takes: whole logits, or TRL's fused head that works through them in tiles."""

from __future__ import annotations

from dataclasses import dataclass

from .activations import Widths, tokens
from .shape import ModelShape
from .states import width
from .workload import DeviceFacts, Workload

FUSED_TASKS = frozenset({"llm-sft", "llm-dpo", "llm-kto", "llm-grpo"})
"""Tasks whose trainers score tokens by TRL's fused head (add_fused_lm_head in TRL 1.16)."""
ANSWER_TASKS = frozenset({"vlm-captioning", "vlm-vqa"})
"""Tasks whose loss is made from the logits of what comes after the pictures."""
LOGIT_TASKS = frozenset({"llm-generic", "llm-orpo", "llm-distill", "seq2seq"}) | ANSWER_TASKS
"""Tasks whose loss is made from the logits of all positions."""
_MORE = {"llm-orpo": 6.0, "llm-distill": 56.0}
"""Further bytes for each score: ORPO also takes the likelihood of the chosen half; distillation
compares the whole distributions of teacher and student. Counted by the exact estimate."""
_TILE_TOKENS, _TILE_WIDTH = 4096, 32768
"""trl.kernels.chunked_logprob.TOKEN_CHUNK_SIZE and trl.trainer.utils's chunk of the vocabulary;
the tile's buffer is that wide for any vocabulary."""
_CPU_FORWARD, _CPU_BACKWARD = 13.0, 29.0
"""Bytes for each score of a tile where the tile is folded by torch's own operations instead of one
Triton kernel: three, then seven 32-bit copies and a mask, live at once."""


@dataclass(frozen=True, slots=True)
class LossMemory:
    """Bytes at the end of the forward pass and at the start of the backward pass."""

    forward: float
    backward: float
    fused: bool = False


def loss_memory(shape: ModelShape, work: Workload, device: DeviceFacts) -> LossMemory:
    """What scoring the vocabulary takes at its worst."""
    if not shape.head_parameters or not has_vocabulary_loss(work):
        return _similarities(work)
    if work.task in FUSED_TASKS and not work.label_smoothing:
        return _fused(shape, work, device)
    widths = Widths.of(shape, work, device)
    scores = _scored(shape, work) * shape.vocabulary
    capped = scores * (widths.compute if shape.softcap else 0.0)
    # A 32-bit head is cast whole; a tied one is the embedding, cast like any other.
    cast = shape.head_parameters * widths.compute if widths.stream > widths.compute else 0.0
    # Forward: logits, their 32-bit copy, the logarithms.
    forward = scores * (widths.compute + 8.0) + capped + cast
    # Backward: the logarithms, their gradient, that of the 32-bit copy; then the head's own.
    backward = cast + capped + max(scores * 12.0, scores * 6.0 + _head_gradient(shape, work))
    smoothed = (4.0 if work.label_smoothing else 0.0) * scores
    smoothed += _MORE.get(work.task, 0.0) * scores
    return LossMemory(forward + smoothed, backward + smoothed)


def _scored(shape: ModelShape, work: Workload) -> float:
    """Positions whose scores are made."""
    count = tokens(shape, work)
    if work.task not in ANSWER_TASKS:
        return count
    # Where the answers' lengths are not known, all that the pictures leave may be answer.
    room = max(1.0, work.length - shape.picture_tokens) / work.length
    return count * min(room, work.trained_share)


def _similarities(work: Workload) -> LossMemory:
    """Every text of a batch with every other's partner, where sentence transformers compare them.

    The cached loss does so chunk by chunk, and keeps the vectors' gradients besides.
    """
    if not work.task.startswith("st-"):
        return LossMemory(0.0, 0.0)
    at_once = min(work.batch, work.chunk) if work.chunk else work.batch
    table = 4.0 * at_once * work.batch * max(1, work.copies - 1)
    return LossMemory(2 * table, 3 * table)


def has_vocabulary_loss(work: Workload) -> bool:
    """Whether the task's loss is about the next token."""
    return work.task in FUSED_TASKS or work.task in LOGIT_TASKS


def _fused(shape: ModelShape, work: Workload, device: DeviceFacts) -> LossMemory:
    widths = Widths.of(shape, work, device)
    # Triton kernels score only positions that are learnt; elsewhere all of them are.
    share = 1.0 if device.kind != "cuda" else min(1.0, max(0.0, work.trained_share))
    count = tokens(shape, work) * share
    rows = min(count, float(_TILE_TOKENS))
    inside = rows * min(shape.vocabulary, _TILE_WIDTH)
    # A host gives memory to what is touched only, and of a wider buffer the rest never is.
    tile = (inside if device.kind == "cpu" else rows * _TILE_WIDTH) * widths.compute
    hidden = count * shape.hidden * widths.stream
    cast = _TILE_WIDTH * shape.hidden * widths.compute if widths.stream > widths.compute else 0.0
    folding = inside if device.kind != "cuda" else 0.0
    gathered = 4.0 * shape.head_parameters if work.method == "none" else 0.0
    base = tile + hidden + cast
    last = gathered + (_head_gradient(shape, work) if width(work.dtype) < 4 else 0.0)
    return LossMemory(
        forward=base + folding * _CPU_FORWARD,
        backward=base + 4.0 * count * shape.hidden
        + max(folding * _CPU_BACKWARD + gathered, last),
        fused=True,
    )  # fmt: skip


def _head_gradient(shape: ModelShape, work: Workload) -> float:
    words = not work.parts or "language" in work.parts
    return shape.head_parameters * width(work.dtype) if words and work.method == "none" else 0.0
