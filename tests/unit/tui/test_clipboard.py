"""The clipboard chain, with programs of a temporary PATH."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from luthier.trainers.errors import LuthierError
from luthier.tui import clipboard


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_tool_of_the_desktop_gets_the_text(tools: Path, tmp_path: Path) -> None:
    tool(tools, "wl-copy", f"cat > {tmp_path}/got")
    said = clipboard.copy("ä text", "spec", {"WAYLAND_DISPLAY": "w"}, tmp_path / "file")
    assert (tmp_path / "got").read_text() == "ä text"
    assert said == "Copied the spec with wl-copy."
    assert not (tmp_path / "file").exists()


def test_without_its_display_a_tool_is_left_alone(tools: Path, tmp_path: Path) -> None:
    tool(tools, "wl-copy", f"cat > {tmp_path}/got")
    clipboard.copy("text", "spec", {}, tmp_path / "file")
    assert not (tmp_path / "got").exists()


def test_a_tool_that_fails_gives_way_to_the_next(tools: Path, tmp_path: Path) -> None:
    tool(tools, "xclip", "exit 1")
    tool(tools, "xsel", f"cat > {tmp_path}/got")
    assert clipboard.copy_with_tool("text", {"DISPLAY": ":0"}) == "xsel"


def test_the_last_resort_is_a_file_of_the_owner(tools: Path, tmp_path: Path) -> None:
    path = tmp_path / "clipboard.txt"
    said = clipboard.copy("text", "spec", {}, path)
    assert path.read_text() == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in said


def test_a_file_that_cannot_be_written_is_named(tools: Path, tmp_path: Path) -> None:
    with pytest.raises(LuthierError, match=r"none/clipboard\.txt"):
        clipboard.copy("text", "spec", {}, tmp_path / "none" / "clipboard.txt")
