"""What the pictures show: each scene plays keys until the screen looks as it should."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from luthier.tui.setups import Setups

# Loaded by test_snapshots before this one; tests are no package.
stage = sys.modules["luthier_pictures_stage"]

Scene = Callable[[Any], Awaitable[None]]


async def runs(luthier: Any) -> None:
    await luthier.sees("violin-notes", "dates")
    begun = [each.id for each in stage.RUNS if each.steps]
    await luthier.until(lambda: all(map(luthier.app.state.loss_of, begun)))
    await luthier.press("j", "space", "j", "space", "j")


async def tasks(luthier: Any) -> None:
    await luthier.press("n")
    await luthier.sees("Supervised fine-tuning", "A row of the data")


async def form(luthier: Any) -> None:
    await tasks(luthier)
    luthier.app.screen.query_one("#tasks").go_to("llm-sft")
    await luthier.press("enter")
    await luthier.sees("name_or_path")


async def filled(luthier: Any) -> None:
    await form(luthier)
    await luthier.press("p")
    await luthier.sees("Balanced", "Best quality")
    await luthier.press("j", "enter")
    await luthier.sees("preset Balanced")
    screen = luthier.app.screen
    screen.rows.set("data.path", str(Path.cwd() / "advice.jsonl"))
    screen.rows.set("training.learning_rate", "fast")
    screen.rows.go_to("training.learning_rate")
    await luthier.sees("to mend")


async def expert(luthier: Any) -> None:
    await filled(luthier)
    await luthier.press("e")
    await luthier.sees("all settings")


async def presets(luthier: Any) -> None:
    await form(luthier)
    await luthier.press("p", "j")
    await luthier.sees("Balanced", "LoRA of rank 16")


async def model(luthier: Any) -> None:
    await form(luthier)
    luthier.app.screen.rows.go_to("model.name_or_path")
    await luthier.press("enter")
    await luthier.sees("base model", "folder")
    await luthier.settled()


async def data(luthier: Any) -> None:
    await form(luthier)
    luthier.app.screen.rows.go_to("data.path")
    await luthier.press("enter")
    await luthier.sees("dataset", "advice.jsonl")
    await luthier.settled()


async def preview(luthier: Any) -> None:
    await data(luthier)
    await luthier.press("enter")
    await luthier.sees("Rows as the model will see them", "Columns")
    await luthier.until(lambda: not luthier.app.screen.waiting_for)


async def mapping(luthier: Any) -> None:
    await preview(luthier)
    await luthier.press("m")
    await luthier.sees("Which column plays which part?")


async def review(luthier: Any) -> None:
    await filled(luthier)
    await luthier.press("v")
    await luthier.sees("Changes")


async def yaml_page(luthier: Any) -> None:
    await review(luthier)
    await luthier.press("l")
    await luthier.sees("task: llm-sft")


async def launch(luthier: Any) -> None:
    await filled(luthier)
    luthier.app.screen.rows.set("training.learning_rate", 3e-4)
    await luthier.press("L")
    await luthier.sees("Start this run?")


async def library(luthier: Any) -> None:
    Setups(luthier.app.home).save("violin", "task: llm-sft\npeft:\n  r: 32\n", replace=True)
    await luthier.press("b")
    await luthier.sees("presets and setups", "violin")
    luthier.app.screen._options.go_to("preset:llm-sft/smallest-memory")
    await luthier.sees("QLoRA")


async def machines(luthier: Any) -> None:
    await luthier.press("m")
    await luthier.sees("RTX 6", "the CPU, which")


async def settings(luthier: Any) -> None:
    await luthier.press("comma")
    await luthier.sees("Key profile", "Offline")


async def help_keys(luthier: Any) -> None:
    await runs(luthier)
    await luthier.press("question_mark")
    await luthier.sees("Keys: runs")


async def commands(luthier: Any) -> None:
    await luthier.press("ctrl+p")
    await luthier.type("chat")
    await luthier.sees("Chat with dates")


async def jump(luthier: Any) -> None:
    await settings(luthier)
    await luthier.press("ctrl+o")


async def guide(luthier: Any) -> None:
    await luthier.press("l")
    await luthier.sees("Guide to a first run")
    await luthier.settled()
    await luthier.type("Ada")
    await luthier.press("enter", "enter")
    await luthier.settled()


async def plan(luthier: Any) -> None:
    await guide(luthier)
    for _ in range(6):
        if "Open the form" not in luthier.text:
            await luthier.press("enter")
            await luthier.settled()
    await luthier.sees("Open the form")


async def topic(luthier: Any) -> None:
    luthier.app.open_learn("lora")
    await luthier.sees("LoRA")


async def run(luthier: Any) -> None:
    luthier.app.open_run(stage.RUNNING)
    await luthier.sees("1 Charts", "310/500", "eval_loss")
    await luthier.settled()


async def failed(luthier: Any) -> None:
    luthier.app.open_run(stage.FAILED)
    await luthier.sees("CUDA out of memory", "sets up a new run")
    await luthier.press("2")
    await luthier.sees("Traceback")


async def samples(luthier: Any) -> None:
    luthier.app.open_run(stage.BETTER)
    await luthier.sees("1 Charts")
    await luthier.settled()
    await luthier.press("3")
    await luthier.sees("expected")


async def compare(luthier: Any) -> None:
    luthier.app.open_compare([each.id for each in stage.RUNS[2:4]])
    await luthier.sees("support-tone-dora", "by step")
    await luthier.settled()


async def differences(luthier: Any) -> None:
    await compare(luthier)
    await luthier.press("2")
    await luthier.sees("peft.method")


async def chat(luthier: Any) -> None:
    luthier.app.open_chat([stage.RESULT])
    await luthier.sees("to dates", "Ask something")
    await luthier.press("escape", "b", "h")
    await luthier.sees("Earlier conversations", "2 May 1901")
    await luthier.press("enter")
    await luthier.sees("as expected", "sorts well")


async def chat_settings(luthier: Any) -> None:
    await chat(luthier)
    await luthier.press("s", "down", "right")
    await luthier.sees("How words are chosen")


async def confirm(luthier: Any) -> None:
    await runs(luthier)
    await luthier.press("D")
    await luthier.sees("Remove")


SMALL, LARGE = (80, 24), (120, 40)
PICTURES: list[tuple[Scene, tuple[tuple[int, int], ...]]] = [
    (runs, (SMALL, LARGE)),
    (confirm, (SMALL,)),
    (tasks, (SMALL, LARGE)),
    (filled, (SMALL, LARGE)),
    (expert, (LARGE,)),
    (presets, (SMALL,)),
    (model, (SMALL,)),
    (data, (SMALL,)),
    (preview, (SMALL, LARGE)),
    (mapping, (SMALL,)),
    (review, (SMALL,)),
    (yaml_page, (LARGE,)),
    (launch, (SMALL,)),
    (library, (SMALL, LARGE)),
    (machines, (SMALL, LARGE)),
    (settings, (SMALL, LARGE)),
    (jump, (SMALL,)),
    (help_keys, (SMALL,)),
    (commands, (SMALL,)),
    (guide, (SMALL,)),
    (plan, (LARGE,)),
    (topic, (SMALL,)),
    (run, (SMALL, LARGE)),
    (failed, (SMALL,)),
    (samples, (SMALL,)),
    (compare, (SMALL, LARGE)),
    (differences, (SMALL,)),
    (chat, (SMALL, LARGE)),
    (chat_settings, (SMALL,)),
]
