"""docs/writing-a-task.md, followed to the letter in a copy of the package."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import luthier

_ROOT = Path(luthier.__file__).resolve().parents[2]
_FILE = re.compile(r"^`(trainers/[^`]+)`\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = "import sys; from luthier.agent.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def luthier_command(tmp_path: Path) -> Iterator[Any]:
    """Runs a command of a copy of the package to which the page's files were added."""
    page = (_ROOT / "docs" / "writing-a-task.md").read_text(encoding="utf-8")
    package = tmp_path / "packages" / "luthier"
    package.mkdir(parents=True)
    for part in ("agent", "presets", "tui", "trainers"):
        shutil.copytree(_ROOT / part, package / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(luthier.__file__, package)
    files = _FILE.findall(page)
    assert len(files) == 5
    for name, text in files:
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(package.parent),
        "LUTHIER_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "1",
    }

    def run(arguments: list[str]) -> str:
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout[-1000:], done.stderr[-2000:])
        return done.stdout

    yield run
    run(["agent", "stop"])


@pytest.mark.slow
def test_the_page_adds_a_task(luthier_command: Any) -> None:
    page = (_ROOT / "docs" / "writing-a-task.md").read_text(encoding="utf-8")
    (block,) = _CONSOLE.findall(page)
    said = {}
    for line in block.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "luthier"
        said[arguments[0]] = luthier_command(arguments)
    assert "Text matching" in said["tasks"]
    assert "succeeded" in said["run"]
    assert "Rows most wrong" in said["show"]
    prediction = json.loads(said["predict"])["prediction"]
    assert set(prediction) == {"match", "score"}
