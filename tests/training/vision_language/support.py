"""Drawn pictures with questions, and the families of models that see."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from luthier.trainers.events import DoneEvent
from luthier.trainers.registry import find_task

FAMILIES = ["llava", "idefics3", "paligemma"]
TASK = find_task("vlm-vqa")
COLOURS = {"red": (220, 40, 40), "green": (40, 160, 60), "blue": (40, 80, 220), "black": (0, 0, 0)}


# After so many steps the adapter of a random model writes something.
ENOUGH = {"training.max_steps": 30, "training.learning_rate": 0.01, "peft.r": 32}


def drawn(folder: Path, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Squares somewhere on white, and the question for their colour."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        colour = chance.choice(list(COLOURS))
        image = Image.new("RGB", (32, 32), "white")
        side = chance.randint(12, 18)
        x, y = chance.randint(0, 31 - side), chance.randint(0, 31 - side)
        ImageDraw.Draw(image).rectangle((x, y, x + side, y + side), fill=COLOURS[colour])
        image.putpixel((31, 31), (number % 256, number // 256, 0))
        image.save(folder / f"{number}.png")
        rows.append({"image": f"{number}.png", "question": "What colour?", "answer": colour})
    return rows


def figures(outcome: Any) -> dict[str, float]:
    figures: dict[str, float] = outcome.of(DoneEvent)[0].metrics
    return figures
