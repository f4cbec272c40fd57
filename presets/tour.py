"""The tour: five models on five cards, and what Auto chooses for each; a page of docs/.

``python -m luthier.presets.tour FILE`` writes the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from .auto import Solution, Tools, solve
from .catalog import find_entry
from .library import find_preset
from .memory import GIB, DeviceFacts
from .memory.architectures import shape_of_config

MODELS = (
    "HuggingFaceTB/SmolLM2-1.7B-Instruct",
    "meta-llama/Llama-3.2-3B-Instruct",
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen2.5-14B-Instruct",
    "meta-llama/Llama-3.3-70B-Instruct",
)
CARDS = (8, 16, 24, 48, 80)
PRESETS = ("llm-sft/balanced", "llm-sft/full")
# What the display, the driver and other processes usually hold.
_HELD = 0.04
_HEAD = """\
# Presets that fit: a tour

Made from the code by `make docs`; do not edit.

What `luthier presets fit` chooses for five models on five cards, of whose memory {held:.0%} is
taken already. Each begins with a preset; effective batch, epochs and learning rate hold everywhere,
so that the same data gives the same kind of result on every card. Rows are taken to be as long as
the preset allows (1,024 tokens); real rows are mostly shorter, and measuring them makes room.

The memory is the upper end of the quick estimate's interval. The pace is by rule of thumb and by
that of the preset as it stands, whether or not that would fit.
"""


def markdown() -> str:
    """The whole page. Raises LuthierError when a model is not in the model list."""
    lines = [_HEAD.format(held=_HELD)]
    for name in PRESETS:
        preset = find_preset(name)
        lines += [f"## {preset.title} (`{name}`)", "", preset.purpose, ""]
        for model in MODELS:
            lines += [*_model(name, model), ""]
    return "\n".join(lines).rstrip() + "\n"


def tour_solution(preset: str, model: str, gigabytes: int) -> Solution:
    """What Auto chooses for one model on one card."""
    entry = find_entry(model)
    assert entry is not None, model
    values = {"model": {"name_or_path": model}, "data": {"path": "rows.jsonl"}}
    total = gigabytes * GIB
    device = DeviceFacts("cuda", f"{gigabytes} GB card", total, int(total * (1 - _HELD)))
    shape = shape_of_config(entry.config, model)
    return solve(find_preset(preset).apply(values), shape, device, tools=Tools())


def _model(preset: str, model: str) -> Iterator[str]:
    found = {gigabytes: tour_solution(preset, model, gigabytes) for gigabytes in CARDS}
    yield f"### {model}"
    yield ""
    yield (
        "| card | fits | rows at a time | recomputes | base | optimizer | longest row | memory "
        "| pace |"
    )
    yield "|---:|---|---|---|---|---|---:|---:|---:|"
    for gigabytes, solution in found.items():
        yield _row(gigabytes, solution)
    yield ""
    for gigabytes, solution in found.items():
        yield f"- **{gigabytes} GB**: {_reasons(solution)}"


def _row(gigabytes: int, solution: Solution) -> str:
    choice, level = solution.choice, solution.choice.level
    high = f"{solution.estimate.high / GIB:.1f} GiB"
    if not solution.fits:
        return f"| {gigabytes} GB | no | | | | | | {high} at least | |"
    passes = solution.spec.model_dump()["training"]["gradient_accumulation_steps"]
    base = "4 bits" if level.quantisation == "nf4" else "16 bits"
    return (
        f"| {gigabytes} GB | yes | {choice.batch} x {passes} | "
        f"{'yes' if choice.checkpointing else 'no'} | {base} | {level.optimizer} | "
        f"{level.length:,} | {high} | {solution.faster:.2f} |"
    )


def _reasons(solution: Solution) -> str:
    if not solution.fits:
        missing = f"{solution.missing / GIB:.1f} GiB"
        return f"nothing fits; even the smallest step lacks {missing}."
    told = [step for step in solution.steps if "so that" not in step.why]
    sentences = [f"`{step.key.rpartition('.')[2]}` {step.change} {step.why}" for step in told]
    return " ".join(sentences) or "the preset as it stands."


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
