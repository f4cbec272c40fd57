"""The systemd user unit that ``luthier agent install`` writes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .paths import Home
from .starting import ALREADY_RUNNING

UNIT = "luthier-agent.service"


def unit_path() -> Path:
    """Where a user's units lie."""
    configuration = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(configuration).expanduser() / "systemd" / "user" / UNIT


def unit_text(home: Home) -> str:
    """The unit for that home's agent, run by this Python.

    Its end leaves the runs alone (KillMode=process): they have supervisors of their own.
    """
    return f"""\
[Unit]
Description=Luthier agent

[Service]
ExecStart={_quoted(sys.executable).replace("$", "$$")} -m luthier.agent
Environment={_quoted(f"LUTHIER_HOME={home.path}")}
KillMode=process
Restart=on-failure
RestartSec=2
RestartPreventExitStatus={ALREADY_RUNNING}

[Install]
WantedBy=default.target
"""


def _quoted(text: str) -> str:
    """One word for systemd, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
