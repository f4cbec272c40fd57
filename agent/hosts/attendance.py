"""Whether somebody is there whom a host's server can ask while it lets us in."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial

from .errors import DecisionNeededError
from .questions import ANSWER_SECONDS, Answer
from .secrets import Secrets

Pose = Callable[[DecisionNeededError, float], bool]
"""See Link.pose."""


class Attendance:
    """The person before one host.

    Args:
        name: the host's.
        target: how it is reached.
        pose: hands a question to whoever waits for the connection.
    """

    def __init__(self, name: str, target: str, pose: Pose) -> None:
        self._name = name
        self._target = target
        self._pose = pose
        self._here = False
        self._is_asked = False

    def come(self) -> None:
        """Somebody wants to connect now, and can be asked."""
        self._here = True

    @contextlib.contextmanager
    def login(self, secrets: Secrets) -> Iterator[Answer]:
        """One login; gives what answers the server's questions.

        Raises:
            DecisionNeededError: the server asks at each login, and nobody is there.
        """
        if self._is_asked and not self._here:
            # Each try would make the server send another code to somebody's telephone.
            raise self._needs_person()
        self._is_asked = False
        try:
            yield partial(self._answer, secrets)
        finally:
            self._here = False
            secrets.forget_answers()

    def _answer(self, secrets: Secrets, question: DecisionNeededError) -> str:
        """What the person answers; the server waits for it a while."""
        self._is_asked = self._is_asked or question.kind == "answer"
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return secrets.answer(question)
            except DecisionNeededError:
                if not self._here:
                    raise (self._needs_person() if self._is_asked else question) from None
                if not self._pose(question, deadline):
                    raise

    def _needs_person(self) -> DecisionNeededError:
        return DecisionNeededError(
            "answer",
            self._target,
            f"{self._name} waits for you, since its login asks for more than a key or a password.",
            hint=f"Log in with: luthier host check {self._name}",
        )
