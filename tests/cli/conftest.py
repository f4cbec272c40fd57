"""The luthier command called in this process, with a home and a folder of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.cli.main import main

SPEC = """\
task: llm-sft
model: {name_or_path: .}
data: {path: data.jsonl}
launch: {devices: cpu}
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be exactly one JSON value."""
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """Standard output, which must be one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def errors(self) -> list[str]:
        """The error sentences, which must be all there is on standard error."""
        lines = self.err.splitlines()
        assert all(line.startswith("error: ") for line in lines), self.err
        return [line.removeprefix("error: ") for line in lines]


Luthier = Callable[..., Outcome]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, in an environment that says nothing else."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("LUTHIER_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


@pytest.fixture
def luthier(home: Path, capsys: pytest.CaptureFixture[str]) -> Luthier:
    """Calls a command: ``luthier("runs", "--json")``."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Outcome(int(code), said.out, said.err)

    return call


@pytest.fixture
def agent(home: Path, luthier: Luthier) -> Iterator[Path]:
    """A home whose agent runs tiny_worker.py; the agent is ended afterwards."""
    home.mkdir()
    worker = [sys.executable, str(Path(__file__).with_name("tiny_worker.py"))]
    (home / "settings.yaml").write_text(json.dumps({"worker_command": worker, "cpu_slots": 4}))
    yield home
    for run in luthier("runs", "--state", "active", "--json").json:
        luthier("stop", run["id"], "--now")
        luthier("watch", run["id"])
    assert luthier("agent", "stop").code == 0


@pytest.fixture
def submit(agent: Path, luthier: Luthier) -> Callable[..., str]:
    """Submits a run of the tiny worker that is named after how it behaves; returns its id."""

    def call(name: str, *options: str) -> str:
        Path("data.jsonl").write_text('{"text": "a"}\n')
        Path("spec.yaml").write_text(SPEC)
        run = luthier("run", "spec.yaml", "--name", name, "--json", *options).json
        run_id: str = run["id"]
        return run_id

    return call
