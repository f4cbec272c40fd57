"""Setups that are kept, and runs that are launched, queued, refused or copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier.agent.states import RunState
from luthier.tui.screens.new_run import NewRunScreen
from luthier.tui.screens.run import RunScreen
from luthier.tui.setups import LastUsed, Setups

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("place")]

SIZES = [(80, 24), (120, 40)]


# -- setups ----------------------------------------------------------------------------------


async def test_a_setup_is_saved_loaded_renamed_and_deleted(
    client: Any, opened: Any, real_agent: Any
) -> None:
    setups = Setups(real_agent.home)
    async with opened() as luthier:
        await luthier.fill_in({"name": "office", "peft": {"r": 5}})
        await luthier.press("s")
        await luthier.sees("Save as a setup", "office")
        await luthier.press("enter")
        await luthier.sees("setup office")
        assert [each.name for each in setups.all()] == ["office"]
        await luthier.press("N")
        await luthier.sees("Put every setting back?")
        await luthier.press("y")
        await luthier.misses("setup office")
        assert luthier.form.value("peft.r") == 16
        await luthier.press("o")
        await luthier.sees("Saved setups", "office")
        await luthier.press("enter")
        await luthier.sees("setup office")
        assert luthier.form.value("peft.r") == 5
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
        await luthier.fill_in({"name": "other"})
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
        await luthier.open_form()
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
        await luthier.fill_in(values)
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
        await luthier.fill_in(values)
        for name in ("one", "two"):
            await luthier.press("L")
            await luthier.sees("Start this run?")
            await luthier.press("j", "enter")
            await luthier.told(f"Queued {name}")
            luthier.form.set("name", "two")
        await luthier.until(lambda: len(luthier.app.state.runs) == 2)
        states = {run.name: run.state for run in client.runs()}
        assert states["two"] is RunState.QUEUED
        await luthier.press("L")
        await luthier.sees("2 runs are not finished")


async def test_what_the_agent_refuses_stands_at_its_setting(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.fill_in(
            {"model": {"name_or_path": "m"}, "data": {"path": "none.jsonl"}},
        )
        await luthier.press("L")
        await luthier.sees("Start this run?")
        await luthier.press("enter")
        await luthier.sees("! there is no none.jsonl", "to mend")
        assert luthier.app.screen.rows.current.key == "data.path"
        luthier.form.set("data.path", "rows.jsonl")
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
        form = luthier.form
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
