"""Rows of preferences, labels and prompts, and settings for them."""

from __future__ import annotations

from typing import Any

from luthier.trainers.events import Event

Row = dict[str, Any]


WOODS = ["spruce", "maple", "ebony", "willow", "poplar", "pear", "boxwood"]
PAIRS: list[Row] = [
    {
        "prompt": f"name {n % 5 + 1}",
        "chosen": " ".join(WOODS[: n % 5 + 1]),
        "rejected": f"no{n} " * (n % 3 + 1),
    }
    for n in range(24)
]
LABELLED: list[Row] = [
    {"prompt": row["prompt"], "completion": row["chosen" if n % 2 else "rejected"], "label": n % 2}
    for n, row in enumerate(PAIRS)
]
PROMPTS: list[Row] = [{"prompt": f"count to {n}", "answer": n} for n in range(24)]
SFT: list[Row] = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in PAIRS]
ROWS = {
    "llm-dpo": PAIRS,
    "llm-orpo": PAIRS,
    "llm-reward": PAIRS,
    "llm-kto": LABELLED,
    "llm-grpo": PROMPTS,
    "llm-distill": SFT,
}
WHOLE = {"peft.method": "none", "training.optim": "adamw_torch"}
LENGTH = {
    "rewards.functions": ["length", "exact_match"],
    "rewards.length_target": 4,
    "rewards.weights": [1.0, 0.5],
}


def curve(kind: type[Event], events: list[Event]) -> list[tuple[int, Row]]:
    """Values by step without the clock's; the later attempt's word counts."""
    clock = ("per_second", "runtime")
    found = {
        event.step: {k: v for k, v in event.values.items() if not any(c in k for c in clock)}
        for event in events
        if isinstance(event, kind)
    }
    return sorted(found.items())
