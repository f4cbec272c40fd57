"""Setting up a run: tasks, the form, its pickers and setups, launch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier.agent.states import RunState
from luthier.trainers import demo
from luthier.trainers.registry import tasks
from luthier.trainers.spec.file import load_spec
from luthier.tui.screens.new_run import NewRunScreen
from luthier.tui.screens.run import RunScreen
from luthier.tui.setups import LastUsed, Setups

pytestmark = pytest.mark.anyio

SIZES = [(80, 24), (120, 40)]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the app is started in: a model, data, and an empty hub cache."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "tiny-model").symlink_to(demo.MODEL)
    rows = "".join(f'{{"prompt": "What is {n}?", "completion": "{n}."}}\n' for n in range(40))
    (folder / "rows.jsonl").write_text(rows)
    quiz = "".join(f"Was ist {n}?,{n}.,{n}\n" for n in range(20))
    (folder / "quiz.csv").write_text(f"frage,antwort,nr\n{quiz}")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    return folder


async def open_form(luthier: Any, task: str = "Supervised fine-tuning") -> None:
    """From the list of runs to the empty form of a task."""
    await luthier.live()
    await luthier.press("n")
    await luthier.sees("Language models")
    (wanted,) = (each.id for each in tasks().values() if each.title == task)
    luthier.app.screen.query_one("#tasks").go_to(wanted)
    await luthier.press("enter")
    await luthier.sees("name_or_path", "to mend")


async def fill_in(luthier: Any, values: dict[str, Any], task: str = "llm-sft") -> None:
    """Open a form with these values."""
    await luthier.live()
    luthier.app.open_new_run(values, task)
    await luthier.sees("name_or_path", "changed")


def form_of(luthier: Any) -> Any:
    """The form in front."""
    screens = [each for each in luthier.app.screen_stack if isinstance(each, NewRunScreen)]
    return screens[-1].form


async def go_to(luthier: Any, name: str) -> None:
    """Move down until the cursor is on a setting."""
    screen = luthier.app.screen
    await luthier.press("g")
    for _ in range(150):
        if screen.rows.current.name == name:
            return
        await luthier.press("j")
    raise AssertionError(f"no setting {name}:\n{luthier.text}")


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


async def test_the_form_as_it_was_left_comes_back(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_form(luthier)
        await luthier.press("p", "j", "enter", "e")
        await luthier.sees("preset Balanced", "all settings")
        await go_to(luthier, "name")
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
        await open_form(luthier)
        await go_to(luthier, "learning_rate")
        await luthier.sees("1e-4 to 3e-4 for LoRA", "default 2e-4")
        await luthier.press("enter", "backspace")
        await luthier.type("-1")
        await luthier.sees("learning_rate must be greater than 0, not -1")
        await luthier.press("escape")
        await luthier.misses("must be greater")
        assert form_of(luthier).source("training.learning_rate") == "default"
        await luthier.press("enter", "backspace")
        await luthier.type("1e-3")
        await luthier.press("down")
        await luthier.until(lambda: form_of(luthier).value("training.learning_rate") == 1e-3)
        assert luthier.app.screen.rows.current.name == "lr_scheduler_type"


async def test_choices_are_cycled_picked_and_put_back(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_form(luthier)
        await go_to(luthier, "method")
        await luthier.press("l")
        await luthier.until(lambda: form_of(luthier).value("peft.method") == "dora")
        await luthier.press("backspace")
        await luthier.until(lambda: form_of(luthier).value("peft.method") == "lora")
        await luthier.press("enter")
        await luthier.sees("prompt-tuning")
        await luthier.press("G", "enter")
        await luthier.until(lambda: form_of(luthier).value("peft.method") == "prompt-tuning")
        await go_to(luthier, "load_in_4bit")
        await luthier.press("enter")
        await luthier.until(lambda: form_of(luthier).value("model.load_in_4bit") is True)


async def test_a_combination_that_cannot_work_is_told_at_its_setting(
    client: Any, opened: Any
) -> None:
    async with opened() as luthier:
        await fill_in(luthier, {"model": {"load_in_4bit": True}, "peft": {"method": "none"}})
        await luthier.sees("a quantised model cannot be trained whole")


async def test_lists_and_mappings_are_edited_in_a_box(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_form(luthier)
        await luthier.press("slash")
        await luthier.type("sample_prompts")
        await luthier.press("enter", "enter")
        await luthier.sees("One item a line")
        await luthier.type("What, then")
        await luthier.press("enter")
        await luthier.type("Why")
        await luthier.press("ctrl+t")
        await luthier.until(
            lambda: form_of(luthier).value("evaluation.sample_prompts") == ["What, then", "Why"]
        )
        await luthier.press("enter")
        await luthier.type("x")
        await luthier.press("escape")
        await luthier.sees("Leave without the changes?")
        await luthier.press("y")
        await luthier.misses("Leave without")
        assert form_of(luthier).value("evaluation.sample_prompts") == ["What, then", "Why"]


async def test_several_of_the_choices_can_be_taken(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_form(luthier)
        await luthier.press("slash")
        await luthier.type("report_to")
        await luthier.press("enter", "enter")
        await luthier.sees("wandb")
        await luthier.press("space", "j", "j", "space", "enter")
        await luthier.until(
            lambda: form_of(luthier).value("training.report_to") == ["tensorboard", "mlflow"]
        )


async def test_beginners_see_few_settings_and_experts_all(client: Any, opened: Any) -> None:
    async with opened(size=(120, 40)) as luthier:
        await open_form(luthier)
        rows = luthier.app.screen.rows
        few = len(rows._shown)
        assert "adam_beta1" not in luthier.text
        await luthier.press("e")
        await luthier.sees("all settings", "trust_remote_code")
        # All of them do not fit, and the cursor's row comes into sight wherever it goes.
        await luthier.press("G")
        await luthier.until(lambda: rows.scroll_y > 0)
        assert rows.screen.find_widget(rows._rows[rows.current.key]).visible_region
        assert len(rows._shown) == len(form_of(luthier).fields) > 3 * few
        await luthier.press("e")
        await luthier.misses("trust_remote_code")


async def test_settings_are_found_by_words_of_any_level(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_form(luthier)
        await luthier.press("slash")
        await luthier.type("neftune")
        await luthier.sees("neftune_noise_alpha")
        assert "learning_rate" not in luthier.text
        await luthier.press("escape")
        await luthier.sees("name_or_path")
        await luthier.misses("neftune")


async def test_a_preset_says_what_it_is_for_and_own_values_win(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await fill_in(luthier, {"peft": {"r": 5}})
        await luthier.press("p", "j", "j")
        await luthier.sees("Rank-stabilised LoRA of rank 64")
        await luthier.press("enter")
        await luthier.sees("preset Best quality")
        assert form_of(luthier).value("peft.r") == 5
        assert form_of(luthier).value("peft.use_rslora") is True
        await luthier.press("p", "g", "enter")
        await luthier.sees("no preset")
        assert form_of(luthier).value("peft.use_rslora") is False


async def test_offline_choice_goes_into_every_new_form(client: Any, opened: Any) -> None:
    from luthier.tui.settings import InterfaceSettings

    async with opened(interface=InterfaceSettings(offline=True)) as luthier:
        await open_form(luthier)
        assert form_of(luthier).value("launch.offline") is True


# -- taking it along -------------------------------------------------------------------------


async def test_changes_yaml_and_command_can_be_seen_and_copied(
    client: Any, opened: Any, real_agent: Any, place: Path
) -> None:
    async with opened() as luthier:
        await fill_in(luthier, {"model": {"name_or_path": "m"}, "data": {"path": "rows.jsonl"}})
        await luthier.press("v")
        await luthier.sees("setting", "default", "model.name_or_path", "you")
        await luthier.press("tab")
        await luthier.sees("task: llm-sft", "name_or_path: m")
        await luthier.press("y")
        copied = real_agent.home.path / "clipboard.txt"
        await luthier.until(copied.exists)
        (place / "run.yaml").write_text(copied.read_text())
        assert load_spec(place / "run.yaml") == form_of(luthier).check().spec
        await luthier.press("tab")
        await luthier.sees("luthier init llm-sft", "--set=model.name_or_path=m")
        await luthier.press("escape")
        await luthier.misses("luthier init")


# -- pickers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_model_is_picked_from_this_machine(
    client: Any, opened: Any, size: tuple[int, int], place: Path
) -> None:
    async with opened(size=size) as luthier:
        await open_form(luthier)
        await go_to(luthier, "name_or_path")
        await luthier.press("enter")
        await luthier.sees("tiny-model", "LlamaForCausal")
        await luthier.press("slash")
        await luthier.type("tiny")
        await luthier.until(lambda: len(luthier.app.screen.table.keys) == 1)
        await luthier.press("enter")
        chosen = str(place / "tiny-model")
        await luthier.until(lambda: form_of(luthier).value("model.name_or_path") == chosen)


async def test_a_hub_id_can_be_typed_and_folders_browsed(
    client: Any, opened: Any, place: Path
) -> None:
    async with opened() as luthier:
        await open_form(luthier)
        await go_to(luthier, "name_or_path")
        await luthier.press("enter", "slash")
        await luthier.type("owner/some-model")
        await luthier.sees("on the hub")
        await luthier.press("enter")
        await luthier.until(
            lambda: form_of(luthier).value("model.name_or_path") == "owner/some-model"
        )
        await luthier.press("enter", "slash")
        await luthier.type(str(place) + "/tiny")
        await luthier.sees("tiny-model/")
        await luthier.until(lambda: len(luthier.app.screen.table.keys) == 2)
        await luthier.press("down", "j", "enter")
        chosen = str(place / "tiny-model")
        await luthier.until(lambda: form_of(luthier).value("model.name_or_path") == chosen)


@pytest.mark.parametrize("size", SIZES)
async def test_a_dataset_is_picked_and_its_rows_are_seen(
    client: Any, opened: Any, size: tuple[int, int], place: Path
) -> None:
    async with opened(size=size) as luthier:
        await open_form(luthier)
        await go_to(luthier, "path")
        await luthier.press("enter")
        await luthier.sees("rows.jsonl", "quiz.csv", "sample")
        await luthier.press("slash")
        await luthier.type("rows")
        await luthier.until(lambda: len(luthier.app.screen.table.keys) == 1)
        await luthier.press("enter")
        await luthier.sees("prompt-completion", "36 rows", "What is")
        await luthier.press("u")
        await luthier.until(
            lambda: form_of(luthier).value("data.path") == str(place / "rows.jsonl")
        )
        await luthier.sees("ready")


async def test_columns_are_chosen_from_the_real_ones(client: Any, opened: Any, place: Path) -> None:
    async with opened() as luthier:
        await fill_in(luthier, {"model": {"name_or_path": "owner/m"}, "data": {"path": "quiz.csv"}})
        await go_to(luthier, "column_mapping")
        await luthier.press("enter")
        await luthier.sees("prompt and completion need a column")
        await luthier.press("j", "enter")
        await luthier.sees("The column that is the prompt")
        await luthier.press("enter", "j", "enter")
        await luthier.sees("The column that is the completion")
        await luthier.press("j", "enter", "j", "j", "enter")
        await luthier.sees("ready to train on", "prompt from frage", "Was ist")
        await luthier.press("u")
        await luthier.until(
            lambda: (
                form_of(luthier).value("data.column_mapping")
                == {"prompt": "frage", "completion": "antwort"}
            )
        )


async def test_problems_of_the_data_are_shown(client: Any, opened: Any, place: Path) -> None:
    (place / "bad.jsonl").write_text('{"prompt": "a", "completion": "b"}\n{"prompt": \n')
    async with opened() as luthier:
        await fill_in(luthier, {"data": {"path": str(place / "bad.jsonl")}})
        await go_to(luthier, "path")
        await luthier.press("enter")
        await luthier.sees("to mend", "line 2")
        await luthier.press("b")
        await luthier.sees("quiz.csv")


async def test_rows_are_shown_with_the_models_own_template(
    client: Any, opened: Any, place: Path
) -> None:
    async with opened(size=(120, 40)) as luthier:
        model = {"name_or_path": str(place / "tiny-model")}
        await fill_in(luthier, {"model": model, "data": {"path": str(place / "rows.jsonl")}})
        await go_to(luthier, "path")
        await luthier.press("enter")
        await luthier.sees("<|user|>What is", "tokens", "tokenizer", seconds=240)


async def test_a_slow_look_can_be_left_and_ends_its_process(
    client: Any, opened: Any, place: Path
) -> None:
    async with opened() as luthier:
        model = {"name_or_path": str(place / "tiny-model")}
        await fill_in(luthier, {"model": model, "data": {"path": str(place / "rows.jsonl")}})
        await go_to(luthier, "path")
        await luthier.press("enter")
        screen = luthier.app.screen
        await luthier.until(lambda: screen._inspection and screen._inspection.model)
        look = screen._inspection
        await luthier.until(lambda: look._process is not None)
        await luthier.press("escape")
        await luthier.until(lambda: look._process.poll() is not None)
        await luthier.sees("prompt-completion")


# -- setups ----------------------------------------------------------------------------------


async def test_a_setup_is_saved_loaded_renamed_and_deleted(
    client: Any, opened: Any, real_agent: Any
) -> None:
    setups = Setups(real_agent.home)
    async with opened() as luthier:
        await fill_in(luthier, {"name": "office", "peft": {"r": 5}})
        await luthier.press("s")
        await luthier.sees("Save as a setup", "office")
        await luthier.press("enter")
        await luthier.sees("setup office")
        assert [each.name for each in setups.all()] == ["office"]
        await luthier.press("N")
        await luthier.sees("Put every setting back?")
        await luthier.press("y")
        await luthier.misses("setup office")
        assert form_of(luthier).value("peft.r") == 16
        await luthier.press("o")
        await luthier.sees("Saved setups", "office")
        await luthier.press("enter")
        await luthier.sees("setup office")
        assert form_of(luthier).value("peft.r") == 5
        await luthier.press("o", "r")
        await luthier.sees("New name of office")
        await luthier.type("home")
        await luthier.press("enter")
        await luthier.until(lambda: [each.name for each in setups.all()] == ["home"])
        await luthier.press("D")
        await luthier.sees("Delete the setup home?")
        await luthier.press("y")
        await luthier.until(lambda: setups.all() == [])


async def test_another_setup_of_the_same_name_is_replaced_only_after_a_question(
    client: Any, opened: Any, real_agent: Any
) -> None:
    setups = Setups(real_agent.home)
    setups.save("mine", "task: llm-generic\n")
    async with opened() as luthier:
        await fill_in(luthier, {"name": "other"})
        await luthier.press("s")
        await luthier.sees("Save as a setup")
        await luthier.type("mine")
        await luthier.press("enter")
        await luthier.sees("Replace the setup mine?")
        await luthier.press("n")
        await luthier.misses("Replace the setup")
        assert setups.get("mine").task == "llm-generic"


# -- launch ----------------------------------------------------------------------------------


async def test_a_form_with_a_mistake_is_not_launched(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_form(luthier)
        await luthier.press("L")
        await luthier.told("Not ready: path is missing.")
        assert luthier.app.screen.rows.current.key == "data.path"
        assert client.runs() == []


@pytest.mark.parametrize("size", SIZES)
async def test_launching_opens_the_run(
    client: Any, opened: Any, workshop: Any, size: tuple[int, int], real_agent: Any
) -> None:
    values = workshop.spec({"steps": 3}, name="first", peft={"r": 4})
    async with opened(size=size) as luthier:
        await fill_in(luthier, values)
        await luthier.press("L")
        await luthier.sees("Start this run?", "luthier/none", "lora")
        await luthier.press("enter")
        await luthier.until(lambda: isinstance(luthier.app.screen, RunScreen))
        (run,) = client.runs()
        assert client.run(run.id).spec["peft"]["r"] == 4
        assert not any(isinstance(each, NewRunScreen) for each in luthier.app.screen_stack)
    last = Setups(real_agent.home).last()
    assert last is not None
    assert last.values["peft"] == {"r": 4}


async def test_queueing_keeps_the_form_for_the_next(
    client: Any, opened: Any, workshop: Any, tmp_path: Path
) -> None:
    values = workshop.spec({"hold": {"1": str(tmp_path / "go")}}, name="one")
    async with opened() as luthier:
        await fill_in(luthier, values)
        for name in ("one", "two"):
            await luthier.press("L")
            await luthier.sees("Start this run?")
            await luthier.press("j", "enter")
            await luthier.told(f"Queued {name}")
            form_of(luthier).set("name", "two")
        await luthier.until(lambda: len(luthier.app.state.runs) == 2)
        states = {run.name: run.state for run in client.runs()}
        assert states["two"] is RunState.QUEUED
        await luthier.press("L")
        await luthier.sees("2 runs are not finished")


async def test_what_the_agent_refuses_stands_at_its_setting(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await fill_in(
            luthier,
            {"model": {"name_or_path": "m"}, "data": {"path": "none.jsonl"}},
        )
        await luthier.press("L")
        await luthier.sees("Start this run?")
        await luthier.press("enter")
        await luthier.sees("! there is no none.jsonl", "to mend")
        assert luthier.app.screen.rows.current.key == "data.path"
        form_of(luthier).set("data.path", "rows.jsonl")
        luthier.app.screen.rows.changed()
        await luthier.misses("there is no none.jsonl in")


async def test_a_copy_of_a_run_with_a_remedy_says_where_it_comes_from(
    client: Any, opened: Any, workshop: Any
) -> None:
    run = client.submit(workshop.spec({"steps": 1}, name="first", peft={"r": 4}))
    async with opened(size=(120, 40)) as luthier:
        await luthier.live()
        luthier.app.open_new_run({"training": {"per_device_train_batch_size": 2}}, None, run.id)
        await luthier.sees("from first", "ready")
        form = form_of(luthier)
        assert form.value("peft.r") == 4
        assert form.value("training.per_device_train_batch_size") == 2
        changed = {change.field.key for change in form.changes()}
        assert "training.learning_rate" not in changed


async def test_a_run_that_is_gone_leads_to_the_tasks(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.live()
        luthier.app.open_new_run(None, None, "20200101-000000-none")
        await luthier.sees("Language models")


async def test_a_damaged_last_used_is_told_and_does_not_block(
    client: Any, opened: Any, real_agent: Any
) -> None:
    setups = Setups(real_agent.home)
    setups.remember(LastUsed("llm-sft"))
    (setups.folder / ".last.yaml").write_text("[")
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("n")
        await luthier.told("damaged")
        await luthier.sees("Language models")


async def test_unknown_settings_are_left_out_and_named(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await fill_in(luthier, {"peft": {"rank": 4}})
        await luthier.told("peft.rank")


async def test_rows_can_be_clicked(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await open_form(luthier)
        y = next(n for n, line in enumerate(luthier.lines) if "num_train_epochs" in line)
        await luthier.pilot.click(offset=(10, y))
        await luthier.until(lambda: luthier.app.screen.rows.current.name == "num_train_epochs")
        await luthier.pilot.click(offset=(10, y), times=2)
        await luthier.until(lambda: luthier.app.screen.rows.editing)
        await luthier.press("escape")
        await luthier.until(lambda: not luthier.app.screen.rows.editing)


async def test_another_dataset_has_other_columns(client: Any, opened: Any, place: Path) -> None:
    mapping = {"prompt": "frage", "completion": "antwort"}
    async with opened() as luthier:
        data = {"path": "quiz.csv", "column_mapping": mapping}
        await fill_in(luthier, {"data": data})
        await go_to(luthier, "path")
        await luthier.press("enter")
        await luthier.sees("prompt from frage")
        await luthier.press("u")
        await luthier.sees("few settings")
        assert form_of(luthier).value("data.column_mapping") == mapping
        await luthier.press("enter")
        await luthier.sees("prompt from frage")
        await luthier.press("b", "slash")
        await luthier.type("rows")
        await luthier.until(lambda: len(luthier.app.screen.table.keys) == 1)
        await luthier.press("enter")
        await luthier.sees("prompt from prompt")
        await luthier.press("u")
        await luthier.until(lambda: form_of(luthier).value("data.column_mapping") == {})
        assert form_of(luthier).value("data.path") == str(place / "rows.jsonl")
