"""The items of the bill with a plain sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .framework import Overhead
from .result import GIB, Part
from .shape import ModelShape
from .sharing import Held
from .states import Trained
from .workload import DeviceFacts, Workload

if TYPE_CHECKING:
    from .estimate import Moment

_STORED = {"bfloat16": "16-bit", "float16": "16-bit", "float32": "32-bit", "float64": "64-bit"}


def parts_of(
    shape: ModelShape,
    work: Workload,
    share: Held,
    peak: Moment,
    found: Trained,
    *,
    reference: float,
    pieces: int,
    extra: Overhead,
    fused: bool,
) -> tuple[Part, ...]:
    """The parts that add up to the peak, without those that are nothing.

    Args:
        shape: of the model.
        work: the workload.
        share: what one device holds.
        peak: the moment of the peak.
        found: what is trained.
        reference: bytes of a second, frozen model.
        pieces: devices that the layers of one copy are spread over.
        extra: what the platform adds.
        fused: whether the loss goes through TRL's fused head.
    """
    lost = peak.total * extra.share / pieces
    amounts = (
        ("weights", "Model weights", (share.weights + reference) / pieces,
         _weights(shape, work, reference)),
        ("adapter", "Adapter", share.own / pieces, _adapter(work, found)),
        ("gradients", "Gradients", peak.gradients / pieces, _gradients(work, peak)),
        ("optimizer", "Optimizer states", share.states / pieces, _optimizer(work, found)),
        ("activations", "Activations", peak.activations / pieces, _activations(shape, work)),
        ("loss", "Loss", peak.loss, _loss(shape, fused=fused)),
        ("temporary", "Short-lived tensors", peak.temporary,
         f"Tensors that come and go at the peak, which is {peak.name}."),
        ("sharing", "Sharing", share.extra, f"On each device: {share.how}."),
        ("framework", "Framework", extra.fixed + lost, extra.why),
    )  # fmt: skip
    return tuple(
        Part(key, title, round(amount), why)
        for key, title, amount, why in amounts
        if round(amount) > 0
    )


def notes_of(shape: ModelShape, work: Workload, device: DeviceFacts) -> tuple[str, ...]:
    """What the estimate could not know or what is unusual here, one sentence each."""
    notes = []
    if device.kind == "qaic":
        notes.append("No training on this kind of card has been measured; take it as a guess.")
    if shape.experts and work.quantisation != "none":
        notes.append("The experts stay in 16 bits: bitsandbytes does not quantise them.")
    if shape.quantised and not shape.checkpoint_bytes:
        notes.append(
            f"The checkpoint is quantised ({shape.quantised}), but its files are not here."
        )
    if shape.tower is not None and shape.kind == "vision-language":
        notes.append("One image a row is counted.")
    if shape.outside:
        notes.append("Images are counted as 800 by 1066 pixels.")
    if work.unread:
        notes.append(
            f"{work.unread} is held beside the model and not counted: its configuration is not "
            "here."
        )
    if work.zero_stage:
        notes.append("Sharding over several devices has been compared with one published figure.")
    return tuple(notes)


def counted(number: float) -> str:
    """A number as people say it: 8.03 billion, 22.7 million, 460 thousand."""
    for size, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if number >= 0.9995 * size:
            whole = len(str(round(number / size)))
            return f"{number / size:.{max(0, 3 - whole)}f} {word}"
    return str(int(number))


def _weights(shape: ModelShape, work: Workload, reference: float) -> str:
    count = f"{counted(shape.parameters)} parameters"
    if work.quantisation == "nf4":
        constants = "8-bit" if work.double_quantisation else "32-bit"
        text = f"{count}, the layers in 4 bits with {constants} scales, the rest in {_bits(work)}."
    elif work.quantisation == "int8":
        text = f"{count}, the layers in 8 bits, the rest in {_bits(work)}."
    else:
        text = f"{count} as {_bits(work)} numbers."
    if work.zero_stage >= 3:
        text = text[:-1] + f", a share of one in {work.processes} on each device."
    if work.reference:
        text += " Twice: the model as it was is kept to compare with."
    if work.beside:
        text += f" Another model is held beside it ({work.beside / GIB:.1f} GiB)."
    return text


def _bits(work: Workload) -> str:
    return _STORED.get(work.dtype, work.dtype)


def _adapter(work: Workload, found: Trained) -> str:
    kind = _STORED.get(found.dtype, found.dtype)
    size = f" of rank {work.rank}" if work.method in ("lora", "dora") else ""
    return f"{counted(found.numbers)} {kind} parameters{size} beside the frozen model."


def _gradients(work: Workload, peak: Moment) -> str:
    if work.accumulation > 1:
        return "One number for each trained parameter, kept while passes are accumulated."
    return f"Those that exist at the peak, which is {peak.name}."


def _optimizer(work: Workload, found: Trained) -> str:
    name = work.optimizer
    if "8bit" in name:
        return f"{name} keeps one byte where others keep four, for each running average."
    shared = f", shared by {work.processes} devices" if work.zero_stage else ""
    return f"The running averages of {name} for {counted(found.numbers)} parameters{shared}."


def _activations(shape: ModelShape, work: Workload) -> str:
    batch = _batch(shape, work)
    if work.checkpointing:
        return f"For {batch}: the inputs of all layers and, of one at a time, everything inside."
    return f"For {batch}: what all layers keep until the backward pass."


def _batch(shape: ModelShape, work: Workload) -> str:
    """What goes through the model at once, in words."""
    if shape.tokens or shape.kind in ("vision", "detector"):
        return "1 picture" if work.batch == 1 else f"{work.batch:,} pictures"
    length = f"of up to {work.length:,} tokens"
    if work.chunk:
        return f"{work.sequences:,} of {work.all_sequences:,} texts at a time, {length}"
    if work.copies > 1:
        return f"{work.all_sequences:,} texts ({work.copies} a row) {length}"
    return f"1 row {length}" if work.batch == 1 else f"{work.batch:,} rows {length}"


def _loss(shape: ModelShape, *, fused: bool) -> str:
    if fused:
        return f"The {shape.vocabulary:,} scores of each token, made in tiles and dropped again."
    if not shape.head_parameters:
        return "How similar the texts of a batch are to each other, as a table."
    return f"{shape.vocabulary:,} scores for every token, several times in 32 bits."
