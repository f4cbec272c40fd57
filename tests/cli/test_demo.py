"""The demo from the first command to a chat with its result: real training, real answers."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from luthier.agent.cli.agent_control import stop_agent
from luthier.agent.paths import Home
from luthier.trainers.demo import heldout_prompts

if TYPE_CHECKING:
    from .conftest import Luthier, Terminal

pytestmark = [pytest.mark.training, pytest.mark.timeout(1800)]
Demo = tuple[Path, "subprocess.CompletedProcess[str]"]
ENTRY = "import sys; from luthier.agent.cli.main import main; sys.exit(main())"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A home in which the demo has run, and how that ended."""
    home = tmp_path_factory.mktemp("demo") / "home"
    ended = subprocess.run(
        [sys.executable, "-c", ENTRY, "demo", "--json"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "LUTHIER_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    yield home, ended
    stop_agent(Home(home))


@pytest.fixture
def result(
    demo: Demo,
    enter: Callable[[Path], Luthier],
) -> tuple[Luthier, str]:
    """The command with the demo's home, and the id of its run."""
    home, ended = demo
    return enter(home), json.loads(ended.stdout)["run_id"]


def test_the_demo_tells_the_lift_as_json(demo: Demo) -> None:
    _, ended = demo
    told = json.loads(ended.stdout)
    assert ended.stderr == ""
    assert set(told) == {"base_accuracy", "adapter_accuracy", "seconds", "run_id"}
    assert told["base_accuracy"] <= 0.05
    assert told["adapter_accuracy"] >= 0.90
    assert ended.returncode == 0


def test_one_question_has_one_answer(result: tuple[Luthier, str]) -> None:
    luthier, run = result
    row = heldout_prompts()[0]
    options = ["--preset", "deterministic", "--set", "max_new_tokens=16", "--json"]
    asked = luthier("chat", run, "--prompt", row.messages[-1]["content"], *options)
    (answer,) = asked.json["answers"]
    assert (asked.code, asked.err) == (0, "")
    assert (answer["voice"], answer["finish"]) == (run, "stop")
    assert answer["answer"]


def test_a_pipe_is_a_chat(result: tuple[Luthier, str], monkeypatch: pytest.MonkeyPatch) -> None:
    luthier, run = result
    lines = ["/preset deterministic", "May 5 1999", "/both", "May 5 1999", "/export said.jsonl"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join([*lines, "/quit", "not asked"])))
    said = luthier("chat", run)
    assert said.code == 0
    first, base, adapter = said.out.splitlines()
    assert base.startswith("[base] ")
    assert adapter.startswith("[demo] ")
    assert first == adapter.removeprefix("[demo] ")
    rows = [json.loads(line) for line in Path("said.jsonl").read_text().splitlines()]
    assert [row["voice"] for row in rows] == ["demo", "base"]


def test_a_chat_on_a_terminal(result: tuple[Luthier, str], terminal: type[Terminal]) -> None:
    _, run = result
    chat = terminal("chat", run, "--preset", "deterministic")
    chat.until("You talk to demo")
    chat.until("> ")
    chat.type("May 5 1999\r")
    chat.until("demo: ")
    chat.until("tokens/s")
    chat.type("/both\r")
    chat.until("Answering: base and demo.")
    chat.type("June 1 2001\r")
    chat.until("> ")
    chat.type("/bsae\r")
    chat.until("There is no command /bsae. Did you mean /base?")
    chat.type("/undo\r")
    chat.until("Taken back: June 1 2001")
    chat.type("/edit\r")
    chat.until("> May 5 1999")
    chat.type(" and more\r")
    # Answers are drawn without a cursor.
    chat.until("\x1b[?25h")
    chat.until("> ")
    chat.clear_line()
    chat.type("\x04")
    code, painted = chat.end()
    assert code == 0
    assert "Traceback" not in painted


def test_ctrl_c_stops_an_answer_and_the_chat_goes_on(
    result: tuple[Luthier, str], terminal: type[Terminal]
) -> None:
    _, run = result
    # Words chosen almost evenly: an end comes once in hundreds of them, but it may come early.
    wild = ("temperature=5", "top_k=0", "top_p=1", "max_new_tokens=4000")
    options = [option for value in wild for option in ("--set", value)]
    for _ in range(10):
        chat = terminal("chat", run, "--voice", "base", "--stay", *options)
        chat.until("> ")
        chat.type("go on and on\r")
        chat.until("base: \x1b[0m")
        chat.anything()
        chat.type("\x03")
        if "stopped" in chat.until("first after") + chat.until("\n"):
            break
        chat.close()
    chat.until("> ")
    chat.type("/quit\r")
    assert chat.end()[0] == 0


def test_the_chats_history_is_its_owners(demo: Demo) -> None:
    history = demo[0] / "chat-history"
    assert "May 5 1999" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_export_writes_the_adapter_with_its_card(result: tuple[Luthier, str]) -> None:
    luthier, run = result
    written = luthier("export", run, "--to", "taken", "--json").json
    assert written["run"] == run
    assert {"adapter_config.json", "adapter_model.safetensors", "README.md"} <= set(
        written["files"]
    )


def test_export_merges(result: tuple[Luthier, str]) -> None:
    luthier, run = result
    assert luthier("export", run, "--to", "merged", "--merge").code == 0
    assert Path("merged/model.safetensors").exists()
    assert not Path("merged/adapter_config.json").exists()
    asked = luthier("chat", "--model", "merged", "-p", "May 5 1999", "--preset", "deterministic")
    same = luthier("chat", run, "-p", "May 5 1999", "--preset", "deterministic")
    assert asked.out == same.out


def test_on_a_terminal_it_is_drawn_and_then_talks(
    demo: Demo, result: tuple[Luthier, str], terminal: type[Terminal], tmp_path: Path
) -> None:
    """The training is not done once more: its worker hands out what the first demo has made."""
    luthier, earlier = result
    home = Home(demo[0])
    shutil.copytree(home.run(earlier).adapter, tmp_path / "adapter")
    stop_agent(home)
    worker = [sys.executable, str(Path(__file__).with_name("tiny_worker.py")), str(tmp_path)]
    home.settings.write_text(json.dumps({"worker_command": worker}))
    watched = terminal("demo")
    watched.until("the run goes on", seconds=600)
    (tmp_path / "go").touch()
    watched.until("succeeded", seconds=600)
    watched.until("exact match")
    watched.until("You talk to demo")
    watched.type("May 5 1999\r")
    watched.until("1999-05-05")
    watched.type("/quit\r")
    assert watched.end()[0] == 0
    runs = [run["id"] for run in luthier("runs", "--json").json]
    assert len(runs) == 1
    assert earlier not in runs, "the demo before made room"
