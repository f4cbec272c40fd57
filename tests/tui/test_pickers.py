"""Picking models and data for a run, and saying which column plays which part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("place")]

SIZES = [(80, 24), (120, 40)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_model_is_picked_from_this_machine(
    client: Any, opened: Any, size: tuple[int, int], place: Path
) -> None:
    async with opened(size=size) as luthier:
        await luthier.open_form()
        await luthier.go_to("name_or_path")
        await luthier.press("enter")
        await luthier.sees("tiny-model", "LlamaForCausal")
        await luthier.press("slash")
        await luthier.type("tiny")
        await luthier.until(lambda: len(luthier.app.screen.table.keys) == 1)
        await luthier.press("enter")
        chosen = str(place / "tiny-model")
        await luthier.until(lambda: luthier.form.value("model.name_or_path") == chosen)


async def test_a_hub_id_can_be_typed_and_folders_browsed(
    client: Any, opened: Any, place: Path
) -> None:
    async with opened() as luthier:
        await luthier.open_form()
        await luthier.go_to("name_or_path")
        await luthier.press("enter", "slash")
        await luthier.type("owner/some-model")
        await luthier.sees("on the hub")
        await luthier.press("enter")
        await luthier.until(lambda: luthier.form.value("model.name_or_path") == "owner/some-model")
        await luthier.press("enter", "slash")
        await luthier.type(str(place) + "/tiny")
        await luthier.sees("tiny-model/")
        await luthier.until(lambda: len(luthier.app.screen.table.keys) == 2)
        await luthier.press("down", "j", "enter")
        chosen = str(place / "tiny-model")
        await luthier.until(lambda: luthier.form.value("model.name_or_path") == chosen)


@pytest.mark.parametrize("size", SIZES)
async def test_a_dataset_is_picked_and_its_rows_are_seen(
    client: Any, opened: Any, size: tuple[int, int], place: Path
) -> None:
    async with opened(size=size) as luthier:
        await luthier.open_form()
        await luthier.go_to("path")
        await luthier.press("enter")
        await luthier.sees("rows.jsonl", "quiz.csv", "sample")
        await luthier.press("slash")
        await luthier.type("rows")
        await luthier.until(lambda: len(luthier.app.screen.table.keys) == 1)
        await luthier.press("enter")
        await luthier.sees("prompt-completion", "36 rows", "What is")
        await luthier.press("u")
        await luthier.until(lambda: luthier.form.value("data.path") == str(place / "rows.jsonl"))
        await luthier.sees("ready")


async def test_columns_are_chosen_from_the_real_ones(client: Any, opened: Any, place: Path) -> None:
    async with opened() as luthier:
        await luthier.fill_in({"model": {"name_or_path": "owner/m"}, "data": {"path": "quiz.csv"}})
        await luthier.go_to("column_mapping")
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
                luthier.form.value("data.column_mapping")
                == {"prompt": "frage", "completion": "antwort"}
            )
        )


async def test_problems_of_the_data_are_shown(client: Any, opened: Any, place: Path) -> None:
    (place / "bad.jsonl").write_text('{"prompt": "a", "completion": "b"}\n{"prompt": \n')
    async with opened() as luthier:
        await luthier.fill_in({"data": {"path": str(place / "bad.jsonl")}})
        await luthier.go_to("path")
        await luthier.press("enter")
        await luthier.sees("to mend", "line 2")
        await luthier.press("b")
        await luthier.sees("quiz.csv")


async def test_rows_are_shown_with_the_models_own_template(
    client: Any, opened: Any, place: Path
) -> None:
    async with opened(size=(120, 40)) as luthier:
        model = {"name_or_path": str(place / "tiny-model")}
        await luthier.fill_in({"model": model, "data": {"path": str(place / "rows.jsonl")}})
        await luthier.go_to("path")
        await luthier.press("enter")
        await luthier.sees("<|user|>What is", "tokens", "tokenizer", seconds=240)


async def test_a_slow_look_can_be_left_and_ends_its_process(
    client: Any, opened: Any, place: Path
) -> None:
    async with opened() as luthier:
        model = {"name_or_path": str(place / "tiny-model")}
        await luthier.fill_in({"model": model, "data": {"path": str(place / "rows.jsonl")}})
        await luthier.go_to("path")
        await luthier.press("enter")
        screen = luthier.app.screen
        await luthier.until(lambda: screen._inspection and screen._inspection.model)
        look = screen._inspection
        await luthier.until(lambda: look._process is not None)
        await luthier.press("escape")
        await luthier.until(lambda: look._process.poll() is not None)
        await luthier.sees("prompt-completion")


async def test_another_dataset_has_other_columns(client: Any, opened: Any, place: Path) -> None:
    mapping = {"prompt": "frage", "completion": "antwort"}
    async with opened() as luthier:
        data = {"path": "quiz.csv", "column_mapping": mapping}
        await luthier.fill_in({"data": data})
        await luthier.go_to("path")
        await luthier.press("enter")
        await luthier.sees("prompt from frage")
        await luthier.press("u")
        await luthier.sees("few settings")
        assert luthier.form.value("data.column_mapping") == mapping
        await luthier.press("enter")
        await luthier.sees("prompt from frage")
        await luthier.press("b", "slash")
        await luthier.type("rows")
        await luthier.until(lambda: len(luthier.app.screen.table.keys) == 1)
        await luthier.press("enter")
        await luthier.sees("prompt from prompt")
        await luthier.press("u")
        await luthier.until(lambda: luthier.form.value("data.column_mapping") == {})
        assert luthier.form.value("data.path") == str(place / "rows.jsonl")
