"""The supervisor's parts that need no processes, and what may be in its file."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent import supervisor
from luthier.agent.supervisor import ASK, KILL, TERMINATE, Ladder, record

SOURCE = Path(supervisor.__file__)
ORDER = [None, ASK, TERMINATE, KILL]


def test_it_is_python_3_8_and_imports_the_standard_library_only() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 8))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    assert imported <= sys.stdlib_module_names


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


MOVES = st.one_of(st.sampled_from([ASK, TERMINATE, KILL]), st.floats(0, 50))


@given(moves=st.lists(MOVES), ask=st.floats(0, 60), terminate=st.floats(0, 60))
def test_the_ladder_only_goes_up_and_never_waits_longer_than_its_deadlines(
    moves: list[str | float], ask: float, terminate: float
) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor, "time", clock)
        ladder = Ladder(ask, terminate)
        began: float | None = None
        for move in moves:
            before = ORDER.index(ladder.rung)
            if isinstance(move, str):
                ladder.climb(move)
                assert ORDER.index(ladder.rung) == max(before, ORDER.index(move))
            else:
                clock.now += move
                exhausted = ladder.step()
                assert ORDER.index(ladder.rung) - before in (0, 1)
                assert not exhausted or ladder.rung == KILL
            if began is None and ladder.rung is not None:
                began = clock.now
            if began is not None:
                assert ladder.deadline <= clock.now + max(ask, terminate, 30.0)
    assert (began is None) == (ladder.rung is None)


def test_a_ladder_that_nobody_climbs_stays_at_its_foot() -> None:
    ladder = Ladder(0, 0)
    assert not ladder.step()
    assert ladder.rung is None


def test_the_end_is_recorded_in_the_space_kept_for_it(tmp_path: Path) -> None:
    reserve = tmp_path / "exit.json.reserve"
    reserve.write_bytes(b" " * 4096)
    kept = reserve.stat().st_ino
    assert record(tmp_path, {"code": 0, "error": "\u4e16" * 5000})
    assert (tmp_path / "exit.json").stat().st_ino == kept
    assert not reserve.exists()
    written = json.loads((tmp_path / "exit.json").read_text())
    assert written["error"] == "\u4e16" * 500
    assert written["disk_free"] > 0
    assert (tmp_path / "exit.json").stat().st_size <= 4096


def test_an_end_that_cannot_be_recorded_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not record(tmp_path, {"code": 0, "error": None})
    assert "FileNotFoundError" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", "null", '{"run_id": "r"}'])
def test_a_damaged_launch_is_refused_and_leaves_the_attempt_unstarted(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "launch.json").write_text(text)
    done = _run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "supervisor.json").exists()


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    done = _run(tmp_path / "absent")
    assert done.returncode == 1
    assert "absent" in done.stderr
    assert "Traceback" not in done.stderr


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", str(SOURCE), str(folder)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
