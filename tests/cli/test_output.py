"""Where the output goes decides how it looks: terminals, pipes, NO_COLOR, narrow encodings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Luthier, Terminal

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ENTRY = [
    sys.executable,
    "-c",
    "import sys; from luthier.agent.cli.main import main; sys.exit(main())",
]


def in_pipe(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command with its output going to a pipe."""
    return subprocess.run(
        [*ENTRY, *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


@pytest.fixture
def data(home: Path) -> str:
    """A dataset of which one part is trained on."""
    Path("data.csv").write_text("prompt,completion\n" + "".join(f"a{n},b{n}\n" for n in range(20)))
    return "data.csv"


def test_on_a_terminal_there_are_colours(data: str, terminal: type[Terminal]) -> None:
    code, painted = terminal("data", "inspect", data).end()
    assert code == 0
    assert COLOUR.search(painted)
    assert "[[" not in painted


@pytest.mark.parametrize("call", [["data", "inspect", "data.csv"], ["tasks"], ["--help"]])
def test_no_color_is_heeded_on_a_terminal(
    data: str, terminal: type[Terminal], call: list[str]
) -> None:
    code, painted = terminal(*call, NO_COLOR="1").end()
    assert code == 0
    assert [each for each in COLOUR.findall(painted) if re.search(r"\b[34]\d\b", each)] == []


def test_without_colour_brackets_mark_the_trained_part(data: str, terminal: type[Terminal]) -> None:
    for painted in (
        terminal("data", "inspect", data, NO_COLOR="1").end()[1],
        terminal("--no-color", "data", "inspect", data).end()[1],
        in_pipe("data", "inspect", data).stdout.decode(),
    ):
        assert "[[b0]]" in painted
        assert "[[a0]]" not in painted


def test_a_pipe_that_is_closed_early_ends_the_command_quietly(home: Path) -> None:
    with subprocess.Popen(
        [*ENTRY, "tasks", "llm-sft", "--all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_narrow_encoding_is_no_error(data: str, encoding: str) -> None:
    Path("data.csv").write_text("prompt,completion\n" + "".join(f"{n},ü☃\n" for n in range(20)))
    ended = in_pipe("data", "inspect", data, PYTHONIOENCODING=encoding)
    assert ended.returncode == 0
    assert ended.stderr == b""
    assert b"[[?" in ended.stdout or b"[[\xfc?" in ended.stdout


def test_alone_without_a_terminal_it_shows_help(luthier: Luthier) -> None:
    shown = luthier()
    assert shown.code == 0
    assert "Usage: luthier" in shown.out


@pytest.mark.parametrize("call", ["agent", "data"])
def test_a_group_alone_shows_its_help(luthier: Luthier, call: str) -> None:
    shown = luthier(call)
    assert (shown.code, shown.err) == (0, "")
    assert f"Usage: luthier {call}" in shown.out


def test_version(luthier: Luthier) -> None:
    from luthier import __version__

    assert luthier("--version").out == f"luthier {__version__}\n"


def test_the_home_option_wins_over_the_environment(luthier: Luthier, tmp_path: Path) -> None:
    refused = luthier("--home", str(tmp_path / "other"), "agent", "status")
    assert refused.errors[0].startswith(f"No agent is running for {tmp_path / 'other'}.")


@pytest.mark.parametrize(
    ("shell", "part"), [("bash", "complete"), ("zsh", "#compdef"), ("fish", "complete")]
)
def test_completion_scripts_are_made(home: Path, shell: str, part: str) -> None:
    made = in_pipe(_LUTHIER_COMPLETE=f"source_{shell}")
    assert part in made.stdout.decode()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("luthier ini", ["init"]),
        ("luthier init llm-s", ["llm-sft"]),
        ("luthier presets llm-sft/ba", ["llm-sft/balanced"]),
        ("luthier show 2026", ["20261122-080000-bbbb", "20261121-080000-aaaa"]),
        ("luthier agent sta", ["start", "status"]),
    ],
)
def test_completion_offers_what_fits_without_an_agent(
    home: Path, typed: str, offered: list[str]
) -> None:
    for name in ("20261121-080000-aaaa", "20261122-080000-bbbb"):
        (home / "runs" / name).mkdir(parents=True)
    words = typed.split(" ")
    made = in_pipe(
        _LUTHIER_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1)
    )
    assert made.stdout.decode().split() == offered
    assert not (home / "agent.sock").exists()


@pytest.mark.parametrize(
    "call", [["--help"], ["--version"], ["validate", "no.yaml"], ["agent", "status"]]
)
def test_nothing_heavy_is_loaded(home: Path, call: list[str]) -> None:
    code = (
        "import sys\nfrom luthier.agent.cli.main import main\nmain(sys.argv[1:])\n"
        "heavy = {'torch', 'transformers', 'datasets', 'peft', 'trl', 'accelerate', 'numpy',"
        " 'pandas', 'textual', 'sqlite_utils', 'fastapi', 'uvicorn', 'paramiko'}\n"
        "sys.stderr.write(','.join(sorted(heavy & set(sys.modules))))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *call], capture_output=True, text=True, check=True, timeout=60
    )
    assert [line for line in ended.stderr.splitlines() if not line.startswith("error:")] == []
