"""Pictures of every screen, compared with those that were looked at and accepted.

When one differs, the failure names the new picture. Look at it in a browser, beside the old one in
``tests/tui/snapshots``, and accept all that were made anew with

    LUTHIER_PICTURES=accept pytest tests/tui/test_snapshots.py
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from textual.widgets import Input

from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError
from luthier.tui.app import LuthierApp
from luthier.tui.chatting.opening import Opened
from luthier.tui.memory import estimable
from luthier.tui.settings import InterfaceSettings
from luthier.tui.widgets.memory_bar import MemoryBar

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

FOLDER = Path(__file__).with_name("snapshots")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"luthier_pictures_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


stage, drawing = _load(FOLDER / "stage.py"), _load(FOLDER / "drawing.py")

scenes = _load(FOLDER / "scenes.py")
SMALL, LARGE, Scene = scenes.SMALL, scenes.LARGE, Callable[[Any], Awaitable[None]]


# -- the stage ---------------------------------------------------------------------------------

ADVICE = (
    ("How do I glue a loose seam?", "Warm the glue to 60 degrees and clamp for a night."),
    ("Which wood is the top made of?", "Spruce, split and dried for at least five years."),
    ("Why does my peg slip?", "The peg has worn smooth; a little peg compound makes it hold."),
    ("How thick is a violin's back?", "About 4.5 mm in the middle and 2.5 mm at the edges."),
)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Textual runs on asyncio."""
    return "asyncio"


@pytest.fixture(scope="module")
def agents() -> ModuleType:
    """What the agent's tests have to run one."""
    return _load(Path(__file__).parents[1] / "agent" / "conftest.py")


@pytest.fixture(scope="module")
def real_agent(agents: ModuleType) -> Iterator[Any]:
    """One agent for all pictures, over the runs of the stage."""
    # The name is as long as the one that the pictures show, so that lines are cut alike.
    folder = Path(tempfile.mkdtemp(prefix="luthier-", dir="/tmp"))
    work = folder / "work"
    work.mkdir()
    rows = (json.dumps({"prompt": ask, "completion": answer}) for ask, answer in ADVICE * 12)
    (work / "advice.jsonl").write_text("\n".join(rows) + "\n")
    agent = agents.RealAgent(Home(folder / "home"))
    stage.lay(agent.home, work / "advice.jsonl")
    stage.keep_talk(agent.home)
    agent.home.settings.write_text(stage.settings_text([]))
    agent.start()
    yield agent
    with suppress(ProcessLookupError):
        agent.end_everything()
    shutil.rmtree(folder, ignore_errors=True)


def _no_estimate(self: Any, spec: Any, **options: Any) -> Any:
    """What is free differs from machine to machine."""
    raise LuthierError("The model is not on this machine.")


@pytest.fixture(autouse=True)
def frozen(real_agent: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock stands still, in UTC; the machine is the one of the stage."""
    folder = real_agent.home.path.parent
    monkeypatch.chdir(folder / "work")
    monkeypatch.setenv("HF_HOME", str(folder / "hub"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: stage.NOW)
    monkeypatch.setattr("luthier.agent.client.Client.hardware", lambda self: stage.report())
    machine = "luthier.agent.host_client.HostClient.hardware"
    monkeypatch.setattr(machine, lambda self, name: stage.report())
    monkeypatch.setattr("luthier.agent.client.Client.estimate", _no_estimate)
    opened = Opened(stage.CHAT, new=False)
    monkeypatch.setattr("luthier.tui.screens.chat_base.open_chat", lambda *_, **__: opened)
    monkeypatch.setattr("luthier.tui.screens.chat_base.loaded_chat", lambda *_, **__: stage.CHAT)
    yield
    monkeypatch.undo()
    time.tzset()


# -- comparing ---------------------------------------------------------------------------------


async def picture(luthier: Any, scene: Scene, size: tuple[int, int]) -> None:
    """Play a scene and compare what is seen in the end."""
    await luthier.until(lambda: len(luthier.app.state.runs) == len(stage.RUNS))
    await luthier.live()
    await scene(luthier)
    for bar in luthier.app.front.query(MemoryBar):
        await luthier.until(lambda bar=bar: not bar.display or _settled(luthier, bar))
    for field in luthier.app.screen.query(Input):
        field.cursor_blink = False
    await luthier.pilot.pause()
    compare_picture(f"{scene.__name__.replace('_', '-')}-{size[0]}x{size[1]}", luthier)


def _settled(luthier: Any, bar: MemoryBar) -> bool:
    """Whether the bar speaks of the form as it is now."""
    wrong = estimable(luthier.app.front.form) is None
    return ("mend what is wrong" if wrong else "not on this machine") in str(bar.render())


def compare_picture(name: str, luthier: Any) -> None:
    """Fail unless the screen is as it was accepted."""
    folder = luthier.app.home.path.parent.name
    drawn = drawing.still(drawing.rows_of(luthier.app)).replace(folder, "luthier-pictures")
    # The beginning of a long path may be cut anywhere.
    for left in range(1, len(folder)):
        drawn = drawn.replace(f"…{folder[left:]}/", f"…{'luthier-pictures'[left:]}/")
    accepted = FOLDER / f"{name}.svg"
    if os.environ.get("LUTHIER_PICTURES") == "accept":
        accepted.write_text(drawn, encoding="utf-8")
    if accepted.exists() and accepted.read_text(encoding="utf-8") == drawn:
        return
    new = Path(tempfile.gettempdir()) / f"luthier-{name}-new.svg"
    new.write_text(drawn, encoding="utf-8")
    pytest.fail(
        f"{name} looks different now. Open both in a browser:\n  accepted: {accepted}\n"
        f"  now:      {new}\nTo accept the new one:\n"
        f"  LUTHIER_PICTURES=accept pytest {Path(__file__).name} -k {name}\n\n{luthier.text}",
        pytrace=False,
    )


@pytest.mark.parametrize(
    ("scene", "size"),
    [
        pytest.param(scene, size, id=f"{scene.__name__.replace('_', '-')}-{size[0]}x{size[1]}")
        for scene, sizes in scenes.PICTURES
        for size in sizes
    ],
)
async def test_a_screen_looks_as_accepted(opened: Any, scene: Scene, size: tuple[int, int]) -> None:
    async with opened(size=size) as luthier:
        await picture(luthier, scene, size)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
async def test_the_first_screen_looks_as_accepted(
    opened: Any, agents: ModuleType, tmp_path: Path, size: tuple[int, int]
) -> None:
    agent = agents.RealAgent(Home(tmp_path / "home"))
    agent.write_settings()
    agent.start()
    app = LuthierApp(agent.home)
    try:
        async with app.run_test(size=size) as pilot:
            deadline = time.monotonic() + 60
            while not (app.screen.has_class("-empty") and app.state.connection == "live"):
                assert time.monotonic() < deadline, "the agent did not answer"
                await pilot.pause(0.02)
            await pilot.pause()
            shown = SimpleNamespace(app=app, text="")
            compare_picture(f"welcome-{size[0]}x{size[1]}", shown)
    finally:
        agent.end_everything()


@pytest.mark.parametrize("theme", ["luthier-light", "luthier-contrast", "ansi-dark", "ansi-light"])
async def test_a_theme_looks_as_accepted(opened: Any, theme: str) -> None:
    async with opened(size=SMALL, interface=InterfaceSettings(theme=theme)) as luthier:
        await luthier.live()
        await scenes.settings(luthier)
        compare_picture(f"theme-{theme}", luthier)


@pytest.mark.parametrize("theme", ["luthier-light", "ansi-light"])
async def test_a_list_on_a_light_theme_looks_as_accepted(opened: Any, theme: str) -> None:
    async with opened(size=SMALL, interface=InterfaceSettings(theme=theme)) as luthier:
        await luthier.until(lambda: len(luthier.app.state.runs) == len(stage.RUNS))
        await scenes.runs(luthier)
        compare_picture(f"runs-{theme}", luthier)
