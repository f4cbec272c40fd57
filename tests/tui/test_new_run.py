"""Setting up a run: the tasks, the form, and what can be taken along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier.trainers.registry import Task, tasks
from luthier.trainers.spec.file import load_spec

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("place")]

SIZES = [(80, 24), (120, 40)]


# -- the task browser ------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_tasks_are_explained_with_an_example_row(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        await luthier.live()
        await luthier.press("n")
        await luthier.sees("Language models", "llm-generic", "The top of a violin is")
        await luthier.press("j")
        await luthier.sees("Teach a language model to answer", "bonjour", "llm-sft")
        # What does not fit is reached too.
        await luthier.press("tab", "G")
        await luthier.sees("Presets:", "SmolLM family")


async def test_tasks_are_found_by_words(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("n")
        await luthier.sees("Language models", "/ filter")
        options = luthier.app.screen.query_one("#tasks")

        def listed() -> list[str]:
            return [each.id for each in options.options if each.id]

        everything = listed()
        await luthier.press("slash")
        await luthier.type("texts class")
        await luthier.until(lambda: "text-classification" in listed())
        assert "llm-sft" not in listed()
        await luthier.sees("sort texts into")
        await luthier.type(" no such thing")
        await luthier.sees("No task has these words.")
        await luthier.press("escape")
        await luthier.until(lambda: listed() == everything)
        await luthier.press("slash")
        await luthier.type("LLM-KTO")
        await luthier.until(lambda: listed() == ["llm-kto"])
        await luthier.press("enter", "enter")
        await luthier.sees("name_or_path")
        assert luthier.form.task.id == "llm-kto"
        await luthier.press("T")
        await luthier.until(lambda: "llm-sft" in listed())
        await luthier.press("escape")
        await luthier.sees("There are no runs yet")


async def test_the_form_of_every_family_opens_and_shows_its_data(client: Any, opened: Any) -> None:
    families: dict[str, Task] = {}
    for task in tasks().values():
        families.setdefault(task.family, task)
    async with opened() as luthier:
        await luthier.live()
        for task in families.values():
            luthier.app.open_new_run({"data": {"path": str(task.sample)}}, task.id)
            await luthier.until(lambda task=task: luthier.app.screen.sub_title == task.title)
            await luthier.sees("changed", "path")
            assert luthier.form.task is task
            if not task.default_model:
                await luthier.sees("memory: there is no estimate for this task")
                await luthier.press("a")
                await luthier.told("There is no estimate for this task.")
                await luthier.go_to("path")
                await luthier.press("enter")
                await luthier.sees("ready to train on")
                await luthier.press("escape")
            luthier.app.open_runs()
            await luthier.sees("There are no runs yet")


async def test_the_form_as_it_was_left_comes_back(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.open_form()
        await luthier.press("p", "j", "enter", "e")
        await luthier.sees("preset Balanced", "all settings")
        await luthier.go_to("name")
        await luthier.press("enter")
        await luthier.type("evening")
        await luthier.press("enter", "q")
        await luthier.sees("There are no runs yet")
        await luthier.press("n")
        await luthier.sees("Go on where you left", "llm-sft/balanced")
        await luthier.press("enter")
        await luthier.sees("evening", "preset Balanced", "all settings")


# -- the form --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_mistake_stands_at_its_setting_while_it_is_typed(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        await luthier.open_form()
        await luthier.go_to("learning_rate")
        await luthier.sees("1e-4 to 3e-4 for LoRA", "default 2e-4")
        await luthier.press("enter", "backspace")
        await luthier.type("-1")
        await luthier.sees("learning_rate must be greater than 0, not -1")
        await luthier.press("escape")
        await luthier.misses("must be greater")
        assert luthier.form.source("training.learning_rate") == "default"
        await luthier.press("enter", "backspace")
        await luthier.type("1e-3")
        await luthier.press("down")
        await luthier.until(lambda: luthier.form.value("training.learning_rate") == 1e-3)
        assert luthier.app.screen.rows.current.name == "lr_scheduler_type"


async def test_choices_are_cycled_picked_and_put_back(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.open_form()
        await luthier.go_to("method")
        await luthier.press("l")
        await luthier.until(lambda: luthier.form.value("peft.method") == "dora")
        await luthier.press("backspace")
        await luthier.until(lambda: luthier.form.value("peft.method") == "lora")
        await luthier.press("enter")
        await luthier.sees("prompt-tuning")
        await luthier.press("G", "enter")
        await luthier.until(lambda: luthier.form.value("peft.method") == "prompt-tuning")
        await luthier.go_to("load_in_4bit")
        await luthier.press("enter")
        await luthier.until(lambda: luthier.form.value("model.load_in_4bit") is True)


async def test_a_combination_that_cannot_work_is_told_at_its_setting(
    client: Any, opened: Any
) -> None:
    async with opened() as luthier:
        await luthier.fill_in({"model": {"load_in_4bit": True}, "peft": {"method": "none"}})
        await luthier.sees("a quantised model cannot be trained whole")


async def test_lists_and_mappings_are_edited_in_a_box(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.open_form()
        await luthier.press("slash")
        await luthier.type("sample_prompts")
        await luthier.press("enter", "enter")
        await luthier.sees("One item a line")
        await luthier.type("What, then")
        await luthier.press("enter")
        await luthier.type("Why")
        await luthier.press("ctrl+t")
        await luthier.until(
            lambda: luthier.form.value("evaluation.sample_prompts") == ["What, then", "Why"]
        )
        await luthier.press("enter")
        await luthier.type("x")
        await luthier.press("escape")
        await luthier.sees("Leave without the changes?")
        await luthier.press("y")
        await luthier.misses("Leave without")
        assert luthier.form.value("evaluation.sample_prompts") == ["What, then", "Why"]


async def test_several_of_the_choices_can_be_taken(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.open_form()
        await luthier.press("slash")
        await luthier.type("report_to")
        await luthier.press("enter", "enter")
        await luthier.sees("wandb")
        await luthier.press("space", "j", "j", "space", "enter")
        await luthier.until(
            lambda: luthier.form.value("training.report_to") == ["tensorboard", "mlflow"]
        )


async def test_beginners_see_few_settings_and_experts_all(client: Any, opened: Any) -> None:
    async with opened(size=(120, 40)) as luthier:
        await luthier.open_form()
        rows = luthier.app.screen.rows
        few = len(rows._shown)
        assert "adam_beta1" not in luthier.text
        await luthier.press("e")
        await luthier.sees("all settings", "trust_remote_code")
        # All of them do not fit, and the cursor's row comes into sight wherever it goes.
        await luthier.press("G")
        await luthier.until(lambda: rows.scroll_y > 0)
        assert rows.screen.find_widget(rows._rows[rows.current.key]).visible_region
        assert len(rows._shown) == len(luthier.form.fields) > 3 * few
        await luthier.press("e")
        await luthier.misses("trust_remote_code")


async def test_settings_are_found_by_words_of_any_level(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.open_form()
        await luthier.press("slash")
        await luthier.type("neftune")
        await luthier.sees("neftune_noise_alpha")
        assert "learning_rate" not in luthier.text
        await luthier.press("escape")
        await luthier.sees("name_or_path")
        await luthier.misses("neftune")


async def test_a_preset_says_what_it_is_for_and_own_values_win(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.fill_in({"peft": {"r": 5}})
        await luthier.press("p", "j", "j")
        await luthier.sees("Rank-stabilised LoRA of rank 64")
        await luthier.press("enter")
        await luthier.sees("preset Best quality")
        assert luthier.form.value("peft.r") == 5
        assert luthier.form.value("peft.use_rslora") is True
        await luthier.press("p", "g", "enter")
        await luthier.sees("no preset")
        assert luthier.form.value("peft.use_rslora") is False


async def test_offline_choice_goes_into_every_new_form(client: Any, opened: Any) -> None:
    from luthier.tui.settings import InterfaceSettings

    async with opened(interface=InterfaceSettings(offline=True)) as luthier:
        await luthier.open_form()
        assert luthier.form.value("launch.offline") is True


async def test_rows_can_be_clicked(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.open_form()
        y = next(n for n, line in enumerate(luthier.lines) if "num_train_epochs" in line)
        await luthier.pilot.click(offset=(10, y))
        await luthier.until(lambda: luthier.app.screen.rows.current.name == "num_train_epochs")
        await luthier.pilot.click(offset=(10, y), times=2)
        await luthier.until(lambda: luthier.app.screen.rows.editing)
        await luthier.press("escape")
        await luthier.until(lambda: not luthier.app.screen.rows.editing)


async def test_unknown_settings_are_left_out_and_named(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.fill_in({"peft": {"rank": 4}})
        await luthier.told("peft.rank")


# -- taking it along -------------------------------------------------------------------------


async def test_changes_yaml_and_command_can_be_seen_and_copied(
    client: Any, opened: Any, real_agent: Any, place: Path
) -> None:
    async with opened() as luthier:
        await luthier.fill_in({"model": {"name_or_path": "m"}, "data": {"path": "rows.jsonl"}})
        await luthier.press("v")
        await luthier.sees("setting", "default", "model.name_or_path", "you")
        await luthier.press("tab")
        await luthier.sees("task: llm-sft", "name_or_path: m")
        await luthier.press("y")
        copied = real_agent.home.path / "clipboard.txt"
        await luthier.until(copied.exists)
        (place / "run.yaml").write_text(copied.read_text())
        assert load_spec(place / "run.yaml") == luthier.form.check().spec
        await luthier.press("tab")
        await luthier.sees("luthier init llm-sft", "--set=model.name_or_path=m")
        await luthier.press("escape")
        await luthier.misses("luthier init")
