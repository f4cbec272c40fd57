"""The items of the bill with a plain sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .framework import Overhead
from .result import Part
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
        ("activations", "Activations", peak.activations / pieces, _activations(work)),
        ("loss", "Loss", peak.loss, _loss(shape, fused=fused)),
        ("temporary", "Short-lived tensors", peak.temporary,
         f"Results on their way at the peak, which is {peak.name}."),
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
    if work.zero_stage:
        notes.append("Sharding over several devices has been compared with one published figure.")
    return tuple(notes)


def _weights(shape: ModelShape, work: Workload, reference: float) -> str:
    count = f"{shape.parameters / 1e9:.2f} billion parameters"
    if work.quantisation == "nf4":
        constants = "8-bit" if work.double_quantisation else "32-bit"
        text = f"{count}, the layers in 4 bits with {constants} scales, the rest in {_bits(work)}."
    elif work.quantisation == "int8":
        text = f"{count}, the layers in 8 bits, the rest in {_bits(work)}."
    else:
        text = f"{count} as {_bits(work)} numbers."
    if work.zero_stage >= 3:
        text = text[:-1] + f", a share of one in {work.processes} on each device."
    return text + (" Twice: the model as it was is kept to compare with." if reference else "")


def _bits(work: Workload) -> str:
    return _STORED.get(work.dtype, work.dtype)


def _adapter(work: Workload, found: Trained) -> str:
    kind = _STORED.get(found.dtype, found.dtype)
    size = f" of rank {work.rank}" if work.method in ("lora", "dora") else ""
    return f"{found.numbers / 1e6:.1f} million {kind} parameters{size} beside the frozen model."


def _gradients(work: Workload, peak: Moment) -> str:
    if work.accumulation > 1:
        return "One number for each trained parameter, kept while passes are accumulated."
    return f"Those that exist at the peak, which is {peak.name}."


def _optimizer(work: Workload, found: Trained) -> str:
    name = work.optimizer
    if "8bit" in name:
        return f"{name} keeps one byte where others keep four, for each running average."
    shared = f", shared by {work.processes} devices" if work.zero_stage else ""
    return (
        f"The running averages of {name} for {found.numbers / 1e6:.0f} million parameters{shared}."
    )


def _activations(work: Workload) -> str:
    rows = f"{work.sequences} rows" if work.sequences > 1 else "1 row"
    batch = f"{rows} of up to {work.length} tokens"
    if work.chunk:
        batch += f", so many of the {work.all_sequences} at a time"
    if work.checkpointing:
        return f"For {batch}: the inputs of all layers and, of one at a time, everything inside."
    return f"For {batch}: what all layers keep until the backward pass."


def _loss(shape: ModelShape, *, fused: bool) -> str:
    if fused:
        return f"The {shape.vocabulary} scores of each token, made in tiles and dropped again."
    return f"{shape.vocabulary} scores for every token, several times in 32 bits."
