"""Trying the result of a run that predicts, and the reports of its evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luthier.agent.states import RunState
from luthier.trainers.registry import find_task
from luthier.tui.screens.run import RunScreen
from luthier.tui.screens.try_it import TryScreen

pytestmark = [pytest.mark.anyio, pytest.mark.training, pytest.mark.slow]
_TASK = find_task("text-classification")


@pytest.fixture
def trained(real_agent: Any, tmp_path: Path) -> str:
    """A run of the real worker."""
    _TASK.imported("tiny")(tmp_path / "model", _TASK.sample)
    real_agent.write_settings(worker_command=[], offline=True)
    client = real_agent.start()
    spec = {
        "task": _TASK.id,
        "model": {"name_or_path": str(tmp_path / "model")},
        "data": {"path": str(_TASK.sample)},
        "training": {"max_steps": 4},
        "launch": {"devices": "cpu", "offline": True, "threads": 1},
    }
    run = client.submit(spec)
    done = real_agent.ended(run.id, seconds=240)
    assert done.state is RunState.SUCCEEDED, done.reason
    return str(run.id)


async def test_reports_are_read_and_the_result_is_tried(trained: str, opened: Any) -> None:
    async with opened(size=(80, 24)) as luthier:
        await luthier.live()
        luthier.app.open_run(trained)
        await luthier.until(lambda: isinstance(luthier.app.screen, RunScreen))
        await luthier.press("7")
        await luthier.sees("Confusion matrix", "music", "sport", "weather")
        await luthier.press("t")
        await luthier.until(lambda: isinstance(luthier.app.screen, TryScreen))
        screen = luthier.app.screen
        # A row of the run's own data is there to begin with.
        await luthier.until(lambda: screen.values["text"].endswith("."))
        before = screen.values["text"]
        await luthier.press("ctrl+n")
        await luthier.until(lambda: screen.values["text"] != before)
        await luthier.press("enter")
        await luthier.sees("label", "score", "music", "weather", seconds=240)
        screen.query_one("Input").value = ""
        await luthier.press("enter")
        await luthier.told("Write the text first.")
        await luthier.press("escape")
        await luthier.until(lambda: isinstance(luthier.app.screen, RunScreen))
