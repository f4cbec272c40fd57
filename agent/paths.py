"""Where the agent keeps everything: one home folder, ``LUTHIER_HOME``."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from luthier.trainers.run_folder import RunFolder

# A Unix socket address holds 108 bytes with its final zero.
_LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True)
class Home:
    """The folders and files of one agent."""

    path: Path

    @classmethod
    def from_environment(cls) -> Home:
        """LUTHIER_HOME, or luthier/ in the XDG data folder."""
        chosen = os.environ.get("LUTHIER_HOME")
        if chosen:
            return cls(Path(chosen).expanduser().absolute())
        data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        return cls(Path(data).expanduser().absolute() / "luthier")

    def create(self) -> None:
        """Make the folders; the home is readable by its owner only."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        self.runs.mkdir(exist_ok=True)
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def runs(self) -> Path:
        """The run folders."""
        return self.path / "runs"

    @property
    def database(self) -> Path:
        """The index of the run folders."""
        return self.path / "luthier.db"

    @property
    def lock(self) -> Path:
        """Held by the one agent of this home."""
        return self.path / "agent.lock"

    @property
    def log(self) -> Path:
        """The agent's own log."""
        return self.path / "agent.log"

    @property
    def token(self) -> Path:
        """The token of the loopback TCP port, mode 0600."""
        return self.path / "token"

    @property
    def settings(self) -> Path:
        """The agent's settings, settings.yaml."""
        return self.path / "settings.yaml"

    @property
    def presets(self) -> Path:
        """The person's own presets, ``<task>/<name>.yaml``."""
        return self.path / "presets"

    @property
    def socket(self) -> Path:
        """The API's socket: in the home, or in the runtime folder when that path is too long."""
        inside = self.path / "agent.sock"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        if not runtime:
            runtime = f"{tempfile.gettempdir()}/luthier-{os.getuid()}"
        return Path(runtime) / "luthier" / f"{name}.sock"

    def run(self, run_id: str) -> RunFolder:
        """The folder of a run, which need not exist."""
        return RunFolder(self.runs / run_id)
