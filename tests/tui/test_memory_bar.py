"""The memory bar of a new run: estimated by a real agent while values change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier.presets.own import OwnPresets
from luthier.trainers import demo
from luthier.tui.screens.new_run import NewRunScreen
from luthier.tui.widgets.memory_bar import MemoryBar

pytestmark = pytest.mark.anyio

SIZES = [(80, 24), (120, 40)]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the app is started in, with a model and data."""
    folder = tmp_path / "work"
    folder.mkdir()
    rows = "".join(f'{{"prompt": "What is {n}?", "completion": "{n}."}}\n' for n in range(40))
    (folder / "rows.jsonl").write_text(rows)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    return folder


def values(**sections: Any) -> dict[str, Any]:
    return {"model": {"name_or_path": str(demo.MODEL)}, "launch": {"devices": "cpu"}, **sections}


async def fill_in(luthier: Any, given: dict[str, Any]) -> Any:
    """Open a form with these values; returns the form."""
    await luthier.live()
    luthier.app.open_new_run(given, "llm-sft")
    await luthier.sees("name_or_path")
    screen = luthier.app.screen
    assert isinstance(screen, NewRunScreen)
    return screen.form


def short() -> dict[str, Any]:
    """A form that needs far more than it may have."""
    return values(
        launch={"devices": "cpu", "memory_limit": 2},
        training={"per_device_train_batch_size": 4096, "max_length": 2048},
    )


@pytest.mark.parametrize("size", SIZES)
async def test_the_bar_says_what_it_takes_before_the_data_is_chosen(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        await fill_in(luthier, values())
        await luthier.sees("to spare", "let Auto choose")
        assert "free" in luthier.line_with("fits,")
        legend = luthier.line_with("let Auto choose")
        assert "framework" in legend
        bar = luthier.app.screen.query_one(MemoryBar)
        assert bar.region.height == 3


async def test_the_bar_follows_the_values(client: Any, opened: Any) -> None:
    async with opened(size=(120, 40)) as luthier:
        form = await fill_in(luthier, values())
        await luthier.sees("to spare")
        before = luthier.line_with("to spare")
        form.set("training.per_device_train_batch_size", 512)
        luthier.app.screen.rows.changed()
        await luthier.until(lambda: before not in luthier.text)
        await luthier.sees("free")
        form.set("training.learning_rate", -1)
        luthier.app.screen.rows.changed()
        await luthier.sees("mend what is wrong to see what it takes")


async def test_without_a_model_it_asks_for_one(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        form = await fill_in(luthier, values())
        form.set("model.name_or_path", None)
        luthier.app.screen.rows.changed()
        await luthier.sees("choose a model to see what it takes")


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_short_can_be_mended_by_one_key(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        form = await fill_in(luthier, short())
        await luthier.sees("missing", "1 micro-batch 2048")
        await luthier.press("1")
        await luthier.until(lambda: form.value("training.per_device_train_batch_size") == 2048)
        assert form.value("training.gradient_accumulation_steps") == 2


@pytest.mark.parametrize("size", SIZES)
async def test_auto_gives_its_reasons_and_its_settings_are_taken(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        form = await fill_in(luthier, short())
        await luthier.sees("missing")
        await luthier.press("a")
        await luthier.sees("Auto", "per_device_train_batch_size 4096", "Enter takes")
        assert "because" in luthier.text
        await luthier.press("enter")
        await luthier.sees("to spare")
        batch = form.value("training.per_device_train_batch_size")
        assert batch < 4096
        assert batch * form.value("training.gradient_accumulation_steps") == 4096


async def test_auto_left_by_escape_changes_nothing(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        form = await fill_in(luthier, short())
        await luthier.sees("missing")
        before = form.values()
        await luthier.press("a")
        await luthier.sees("Enter takes")
        await luthier.press("escape")
        await luthier.misses("Enter takes")
        assert form.values() == before


async def test_an_unknown_model_is_said_and_the_form_goes_on(client: Any, opened: Any) -> None:
    async with opened(size=(120, 40)) as luthier:
        form = await fill_in(luthier, values(model={"name_or_path": "nobody/nothing"}))
        await luthier.sees("memory: ", "nobody/nothing")
        form.set("model.name_or_path", str(demo.MODEL))
        luthier.app.screen.rows.changed()
        await luthier.sees("to spare")


@pytest.mark.parametrize("size", SIZES)
async def test_the_picker_says_whether_a_preset_fits_and_why(
    client: Any, opened: Any, size: tuple[int, int]
) -> None:
    async with opened(size=size) as luthier:
        await fill_in(luthier, values())
        await luthier.press("p", "j")
        await luthier.sees("LoRA of rank 16", "Fits:", "to spare")


async def test_ones_own_presets_are_offered_like_the_others(
    client: Any, opened: Any, real_agent: Any
) -> None:
    OwnPresets(real_agent.home.presets).copy("llm-sft/fastest", "a-first-one")
    async with opened() as luthier:
        form = await fill_in(luthier, values())
        await luthier.press("p", "j", "enter")
        await luthier.until(lambda: form.preset is not None)
        assert form.preset.name == "llm-sft/a-first-one"
        assert form.preset.own


@pytest.mark.slow
async def test_the_rows_are_measured_on_request(client: Any, opened: Any, place: Path) -> None:
    async with opened(size=(120, 40)) as luthier:
        data = {"path": str(place / "rows.jsonl")}
        await fill_in(luthier, values(data=data))
        await luthier.sees("to spare")
        await luthier.press("m")
        told = "tokens on average"
        await luthier.until(lambda: any(told in said for said in luthier.said), seconds=150)
