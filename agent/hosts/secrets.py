"""Passphrases and passwords: asked of a person, kept in memory only, gone with the agent."""

from __future__ import annotations

import threading
from collections.abc import Mapping


class Secrets:
    """What one host's connections need. Never written, logged or shown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], str] = {}
        self._agent: str | None = None

    def __repr__(self) -> str:
        return "Secrets(...)"

    def tell(self, told: Mapping[str, Mapping[str, str]], agent_socket: str | None = None) -> None:
        """Take in what a person has typed.

        Args:
            told: secrets by kind (``passphrase``, ``password``), then by what they are for.
            agent_socket: the ssh-agent of that person's shell.
        """
        with self._lock:
            for kind, entries in told.items():
                for what, secret in entries.items():
                    self._told[kind, what] = secret
            self._agent = agent_socket or self._agent

    def get(self, kind: str, what: str) -> str | None:
        """The secret, when it was told."""
        with self._lock:
            return self._told.get((kind, what))

    def forget(self, kind: str, what: str) -> None:
        """Drop a secret that turned out to be wrong."""
        with self._lock:
            self._told.pop((kind, what), None)

    @property
    def agent_socket(self) -> str | None:
        """The ssh-agent's socket that was told."""
        return self._agent
