"""The run screen: live charts and figures, tabs, what is known when it opens late, remedies."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.agent.states import RunState
from luthier.tui.screens.new_run import NewRunScreen
from luthier.tui.screens.run import RunScreen
from luthier.tui.settings import InterfaceSettings
from luthier.tui.widgets.run_charts import RunCharts

pytestmark = pytest.mark.anyio


def crosshair(luthier: Any) -> str:
    """The legend of the chart while the crosshair is on."""
    return str(luthier.line_with("step "))


async def at(luthier: Any, run_id: str) -> RunScreen:
    """Open the run and wait until everything is read."""
    await luthier.live()
    luthier.app.open_run(run_id)
    await luthier.until(lambda: isinstance(luthier.app.screen, RunScreen))
    await luthier.until(lambda: luthier.app.screen.detail is not None)
    await luthier.settled()
    screen = luthier.app.screen
    assert isinstance(screen, RunScreen)
    return screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_run_is_watched_as_it_goes(curves: Any, opened: Any, size: Any) -> None:
    middle = curves.file("middle")
    run = curves.submit(steps=60, hold={"40": str(middle)})
    async with opened(size=size) as luthier:
        await at(luthier, run)
        await luthier.sees("● running", "training", "40/60", "loss", "eval_loss", "1 Charts")
        await luthier.until(lambda: "tokens/s" in luthier.text)
        middle.touch()
        await luthier.sees("✓ succeeded", "60/60", "100%")
        assert "x stop" not in luthier.lines[-1]
        assert "t chat" in luthier.lines[-1]


async def test_a_run_opened_late_misses_nothing(curves: Any, opened: Any) -> None:
    middle = curves.file("middle")
    run = curves.submit(steps=100, hold={"50": str(middle)})
    curves.agent.reached(run, 50)
    async with opened(size=(120, 40)) as luthier:
        screen = await at(luthier, run)
        data = luthier.app.state.of(run)
        await luthier.until(lambda: "loss" in data.curves and len(data.curves["loss"]) == 50)
        await luthier.press("4")
        await luthier.sees("warning", "data/train.jsonl:7: A row was cut.", "checkpoint")
        middle.touch()
        await luthier.until(lambda: screen.run_line.state is RunState.SUCCEEDED)
        await luthier.sees("at step 100", "done")
        texts = [note.text for note in data.notes]
        assert texts.count("loading: a model") == 1
        assert sum(text.startswith("evaluation") for text in texts) == 5
        assert len(data.samples) == 15
        assert [bucket.start for bucket in data.curves["loss"]] == list(range(1, 101))


async def test_every_tab_is_reached_by_keys(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=40)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        screen = await at(luthier, run)
        await luthier.press("right_square_bracket")
        await luthier.sees("step 40 loss", "follows the end")
        await luthier.press("right_square_bracket")
        await luthier.sees("prompt 1 of 3", "Translate: good morning", "expected", "bonjour")
        await luthier.press("right")
        await luthier.sees("prompt 2 of 3", "Translate: thank you", "merci")
        await luthier.press("right_square_bracket")
        await luthier.sees("placement", "warning", "done")
        await luthier.press("5")
        await luthier.sees("runs on  cpu", "task: llm-sft", "name: curve")
        await luthier.press("G")
        await luthier.sees("hub_private: true")
        await luthier.press("right_square_bracket")
        await luthier.sees("artifacts/adapter/adapter_config.json", "files,")
        await luthier.press("right_square_bracket")
        await luthier.sees("no evaluation has reported anything yet")
        await luthier.press("right_square_bracket")
        await luthier.until(lambda: screen.tab == "charts")
        await luthier.press("left_square_bracket")
        await luthier.until(lambda: screen.tab == "reports")


async def test_small_files_are_opened_and_left(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=5)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        await at(luthier, run)
        await luthier.press("6")
        await luthier.sees("artifacts/adapter/adapter_config.json")
        await luthier.press("g", "enter")
        await luthier.sees('{"r": 16}')
        await luthier.press("y")
        await luthier.told("path")
        copied = (curves.agent.home.path / "clipboard.txt").read_text()
        assert copied.endswith("artifacts/adapter/adapter_config.json")
        await luthier.press("escape")
        await luthier.sees("attempt-1/events.jsonl")
        assert isinstance(luthier.app.screen, RunScreen)


async def test_charts_zoom_smooth_and_read_values(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=300, spike={"150": 30.0})
    curves.agent.ended(run)
    async with opened(size=(120, 40)) as luthier:
        screen = await at(luthier, run)
        charts = screen.query_one(RunCharts)
        await luthier.until(lambda: "loss" in luthier.app.state.of(run).curves)
        await luthier.sees("learning_rate", "grad_norm", "300", "30 ┤")
        await luthier.press("s", "s")
        await luthier.sees("smoothed 0.9", "~")
        await luthier.press("L")
        await luthier.sees("log  by step")
        await luthier.press("c", "H", "H")
        assert "step 2" in crosshair(luthier)
        await luthier.press("plus", "plus")
        assert charts.view.window.is_zoomed
        await luthier.press("escape")
        await luthier.misses("step 2")
        await luthier.press("escape")
        await luthier.until(lambda: not charts.view.window.is_zoomed)
        await luthier.press("z")
        await luthier.misses("learning_rate")
        await luthier.press("b")
        await luthier.sees("by epoch", "0.5", "1.5")
        await luthier.press("b")
        await luthier.sees("by time", "0s")


async def test_zooming_fetches_finer_points(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=9000, spike={"4501": 30.0}, evaluate_every=4500)
    curves.agent.ended(run, seconds=120)
    async with opened(size=(80, 24)) as luthier:
        screen = await at(luthier, run)
        view = screen.query_one(RunCharts).view
        await luthier.until(lambda: "loss" in luthier.app.state.of(run).curves)
        await luthier.sees("30 ┤")
        await luthier.press("c")
        view.cross = 4501.0
        await luthier.press("plus", "minus")
        await luthier.until(lambda: "to 30)" in crosshair(luthier))
        await luthier.press(*["plus"] * 9)
        await luthier.until(lambda: "loss 30 " in crosshair(luthier))
        assert "to 30)" not in crosshair(luthier)
        await luthier.sees("4495", "4505")


async def test_metrics_are_chosen_from_a_list(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=20)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        await at(luthier, run)
        await luthier.sees("loss", "eval_loss")
        await luthier.press("m")
        await luthier.sees("Mark up to 4 charts", "tokens_per_second", "grad_norm")
        await luthier.press("space", "space", "enter")
        await luthier.sees("━ learning_rate")
        await luthier.misses("eval_loss")


async def test_a_remedy_becomes_a_new_run(curves: Any, opened: Any) -> None:
    run = curves.submit(
        steps=50,
        fail={"30": "Memory ran out with 8 rows in the batch."},
        hint="To mend it, set training.gradient_checkpointing to true.",
    )
    curves.agent.ended(run)
    async with opened(size=(120, 40)) as luthier:
        await at(luthier, run)
        await luthier.sees("✗ failed", "error  Memory ran out", "cause  The batch does not fit")
        await luthier.sees("training.gradient_checkpointing false → true", "a try remedy")
        await luthier.press("a")
        await luthier.until(lambda: isinstance(luthier.app.screen, NewRunScreen))
        await luthier.settled()
        await luthier.sees("from curve")
        values = luthier.app.screen.form.own_values()
        assert values["training"]["gradient_checkpointing"] is True
        assert values["training"]["per_device_train_batch_size"] == 4
        assert values["data"]["path"].endswith("curve.json")


async def test_a_run_is_stopped_and_resumed(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=50, hold={"30": str(curves.file("never"))})
    async with opened(size=(120, 40)) as luthier:
        screen = await at(luthier, run)
        await luthier.sees("30/50")
        await luthier.press("x")
        await luthier.sees("Stop this run?")
        await luthier.press("y")
        await luthier.sees("■ stopped", "30/50")
        assert screen.run_line.state is RunState.STOPPED
        await luthier.press("r")
        await luthier.sees("● running", "attempt 2")
        await luthier.press("X")
        await luthier.sees("Stop this run now?")
        await luthier.press("y")
        await luthier.sees("■ stopped")


async def test_the_export_command_and_values_are_copied(curves: Any, opened: Any) -> None:
    run = curves.submit("my run", steps=5)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        await at(luthier, run)
        clipboard = curves.agent.home.path / "clipboard.txt"
        await luthier.press("e")
        await luthier.told("export command")
        assert clipboard.read_text() == f"luthier export {run} --to my-run"
        await luthier.sees("loss")
        await luthier.until(lambda: "loss" in luthier.app.state.of(run).curves)
        await luthier.press("y")
        await luthier.told("values")
        await luthier.until(lambda: "loss\t5\t" in clipboard.read_text())


async def test_an_agent_that_was_killed_costs_nothing(curves: Any, opened: Any) -> None:
    middle = curves.file("middle")
    run = curves.submit(steps=60, pace=0.02, hold={"30": str(middle)})
    async with opened(size=(80, 24)) as luthier:
        screen = await at(luthier, run)
        await luthier.sees("30/60")
        curves.agent.kill()
        await luthier.until(lambda: luthier.app.state.connection == "away")
        await luthier.sees("30/60", "loss")
        middle.touch()
        await luthier.until(lambda: luthier.app.state.connection == "live")
        await luthier.sees("✓ succeeded", "60/60")
        data = luthier.app.state.of(run)
        await luthier.until(lambda: len(data.curves["loss"]) == 60)
        evaluations = [note.text for note in data.notes if note.kind == "evaluation"]
        assert len(evaluations) == 3
        assert screen.run_line.state is RunState.SUCCEEDED


async def test_a_run_that_was_removed_stays_to_be_read(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=5)
    curves.agent.ended(run)
    async with opened(size=(80, 24)) as luthier:
        await at(luthier, run)
        await luthier.sees("✓ succeeded")
        other = curves.submit("other", steps=5)
        curves.agent.ended(other)
        curves.client.remove(run)
        await luthier.sees("removed", "✓ succeeded")


async def test_ascii_is_ascii(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=50, lines=5)
    curves.agent.ended(run)
    async with opened(size=(80, 24), interface=InterfaceSettings(glyphs="ascii")) as luthier:
        await at(luthier, run)
        await luthier.until(lambda: "loss" in luthier.app.state.of(run).curves)
        for key, words in (("1", "loss"), ("2", "step 50"), ("4", "done"), ("5", "llm-sft")):
            await luthier.press(key)
            await luthier.sees(words)
            assert luthier.text.isascii(), [c for c in luthier.text if ord(c) > 127]


async def test_any_size_will_do(curves: Any, opened: Any) -> None:
    run = curves.submit(steps=50)
    curves.agent.ended(run)
    async with opened(size=(120, 40)) as luthier:
        await at(luthier, run)
        await luthier.sees("learning_rate")
        for width, height in ((80, 24), (240, 80), (40, 10), (100, 30)):
            await luthier.resize(width, height)
            assert len(luthier.lines) == height
        await luthier.sees("✓ succeeded", "learning_rate")
