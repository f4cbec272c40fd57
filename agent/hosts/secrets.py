"""Passphrases and passwords: asked of a person, kept in memory only, gone with the agent."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from .errors import DecisionNeededError


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
            told: secrets by kind (``passphrase``, ``password``, ``answer``), then by what they
                are for.
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

    def answer(self, question: DecisionNeededError) -> str:
        """What was told for a question; an answer to a question of the server counts once.

        Raises:
            DecisionNeededError: nothing was; it is the question itself.
        """
        told = self.get(question.kind, question.what)
        if told is None:
            raise question
        if question.kind == "answer":
            self.forget(question.kind, question.what)
        return told

    def forget_answers(self) -> None:
        """Drop answers that no question came for."""
        with self._lock:
            self._told = {key: told for key, told in self._told.items() if key[0] != "answer"}

    @property
    def agent_socket(self) -> str | None:
        """The ssh-agent's socket that was told."""
        return self._agent
