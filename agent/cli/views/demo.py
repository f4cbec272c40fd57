"""What the demo shows when the run is over."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from ... import text
from ..demo_run import Comparison
from ..invocation import Invocation
from .tables import add_row, plain_table


def as_data(comparison: Comparison, run_id: str, seconds: float) -> dict[str, Any]:
    """The outcome for programs; accuracies are shares, 0 to 1."""
    return {
        "base_accuracy": comparison.base_accuracy,
        "adapter_accuracy": comparison.adapter_accuracy,
        "seconds": round(seconds, 2),
        "run_id": run_id,
    }


def show_comparison(here: Invocation, comparison: Comparison) -> None:
    """Base against adapter, and some of their answers."""
    asked = len(comparison.expected)
    here.say("")
    here.say(f"{asked} held-out prompts, none of which was in the training data:", "bold")
    table = plain_table("", ">right", ">of", ">exact match")
    for name, accuracy in (
        ("base model", comparison.base_accuracy),
        ("with the adapter", comparison.adapter_accuracy),
    ):
        add_row(table, name, str(round(accuracy * asked)), str(asked), f"{accuracy:.1%}")
    here.console.print(table)
    samples = plain_table("prompt", "right", "base model", "with the adapter")
    for prompt, expected, base, adapter in comparison.samples():
        add_row(samples, prompt, expected, text.one_line(base, 40), text.one_line(adapter, 40))
    here.console.print(samples)


def show_next_steps(here: Invocation, run_id: str, seconds: float, *, well: bool) -> None:
    """How it went and what to try."""
    if not well:
        here.say("The adapter did not learn what it should have: see luthier logs " + run_id)
        return
    command = _command()
    here.say(f"Trained and compared in {text.duration(seconds)}. Talk to it, or train your own:")
    here.say(f"  {command} chat {run_id}")
    here.say(f"  {command} init llm-sft")


def _command() -> str:
    """``luthier``, or its path where the shell would not find it by name."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    if called.name != "luthier" or (found and Path(found).resolve() == called.resolve()):
        return "luthier"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)
