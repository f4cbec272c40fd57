"""Networks that can be cut."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path


class Cable:
    """A network of its own for one server, on a cable that can be pulled out."""

    def __init__(self, number: int) -> None:
        self.namespace = f"luthier{os.getpid()}x{number}"
        self._here = f"lt{os.getpid() % 100000}x{number}"
        self._net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self._last = 4 * number

    @property
    def address(self) -> str:
        """The server's."""
        return f"{self._net}.{self._last + 2}"

    def lay(self) -> None:
        """Make the network. Raises CalledProcessError where that is not allowed."""
        _ip("netns", "add", self.namespace)
        peer = ("peer", "name", "far", "netns", self.namespace)
        _ip("link", "add", self._here, "type", "veth", *peer)
        _ip("addr", "add", f"{self._net}.{self._last + 1}/30", "dev", self._here)
        _ip("-n", self.namespace, "addr", "add", f"{self.address}/30", "dev", "far")
        _ip("-n", self.namespace, "link", "set", "lo", "up")
        _ip("-n", self.namespace, "link", "set", "far", "up")
        self.mend()

    def cut(self) -> None:
        """Nothing goes through any more, and nobody is told."""
        _ip("link", "set", self._here, "down")

    def mend(self) -> None:
        """Everything goes through again."""
        _ip("link", "set", self._here, "up")

    def sent(self) -> int:
        """How many bytes went to the server."""
        return int(Path(f"/sys/class/net/{self._here}/statistics/tx_bytes").read_text())

    def remove(self) -> None:
        """Take the network away, which what closes slowly would keep alive otherwise."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "del", self._here)
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self.namespace)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
