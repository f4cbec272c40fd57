"""Copying text: through the terminal, through a tool of this machine, and at worst into a file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from luthier.trainers.errors import LuthierError

# (command, variable that must be set for it to work)
_TOOLS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("wl-copy",), "WAYLAND_DISPLAY"),
    (("xclip", "-selection", "clipboard"), "DISPLAY"),
    (("xsel", "--clipboard", "--input"), "DISPLAY"),
    (("pbcopy",), ""),
    (("clip.exe",), "WSL_DISTRO_NAME"),
    # -w hands the text on to the terminal that tmux runs in.
    (("tmux", "load-buffer", "-w", "-"), "TMUX"),
)
_TOOL_SECONDS = 3.0


def copy_with_tool(text: str, environment: Mapping[str, str]) -> str:
    """Copy with the first tool that is here and works; returns its name, empty when none does."""
    for command, variable in _TOOLS:
        if (variable and not environment.get(variable)) or shutil.which(command[0]) is None:
            continue
        try:
            subprocess.run(
                command,
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_TOOL_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return command[0]
    return ""


def copy_to_file(text: str, path: Path) -> None:
    """Write the text where a person can take it from; only the owner may read it.

    Raises:
        LuthierError: the file cannot be written.
    """
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise LuthierError(f"{path}: the copy cannot be written: {reason}.") from error


def copy(text: str, what: str, environment: Mapping[str, str], path: Path) -> str:
    """Copy beyond what the terminal itself was asked for; returns a sentence that says where.

    Whether a terminal took the text (OSC 52) cannot be known, so without a tool it goes into a
    file as well.
    """
    if tool := copy_with_tool(text, environment):
        return f"Copied the {what} with {tool}."
    copy_to_file(text, path)
    return f"Sent the {what} to the terminal's clipboard, and wrote it to {path}"
