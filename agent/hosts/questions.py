"""Logins by questions (keyboard-interactive): passwords, one-time codes, whatever a server asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from .errors import DecisionNeededError, HostError
from .secrets import Secrets
from .ssh_config import SshSettings

Answer = Callable[[DecisionNeededError], str]
"""Gives what a person says to a question, or raises the question."""

ANSWER_SECONDS = 110.0
"""How long a person may think; OpenSSH's server gives up a login after 120 seconds."""

_LOGIN_SECONDS = 300.0
_TRIES = 3
_LONGEST_PROMPT = 500
# What is remembered for the next connection; everything else may be right but once.
_PASSWORD = re.compile(r"passwor[dt]\b", re.IGNORECASE)
_NO_PASSWORD = re.compile(r"\b(one.?time|otp|token|code|new|current|retype)\b", re.IGNORECASE)


def answer_questions(
    transport: Any, settings: SshSettings, secrets: Secrets, answer: Answer, why: str
) -> list[str] | None:
    """Log in by answering what the server asks.

    Args:
        transport: checked, not logged in.
        settings: the host.
        secrets: those of this person.
        answer: asks the person.
        why: why it asks, a sentence for the first password.

    Returns:
        the kinds of login that the server wants besides, none when it is content; None when it
        refuses this kind without a question.

    Raises:
        DecisionNeededError: nobody answered.
        HostError: it was content with nothing.
        paramiko.SSHException: the connection broke.
    """
    from paramiko import AuthenticationException

    conversation = _Conversation(settings, secrets, answer, why)
    transport.auth_timeout = _LOGIN_SECONDS
    for _ in range(_TRIES):
        try:
            return list(transport.auth_interactive(settings.user, conversation.reply))
        except DecisionNeededError as error:
            # Without its way through the thread of the connection.
            raise error.with_traceback(None) from None
        except AuthenticationException:
            # Also when the kind of login is told to be none that it takes: a wrong answer.
            if not conversation.asked:
                return None
            conversation.refused()
        if not transport.is_active():
            break
    raise HostError(
        f"{settings.account} refuses what it was answered.",
        hint="Is it the right account? See what ssh says to the same answers.",
    )


class _Conversation:
    """What one server asks at one login."""

    def __init__(self, settings: SshSettings, secrets: Secrets, answer: Answer, why: str) -> None:
        self.asked = 0
        self._account = settings.account
        self._secrets = secrets
        self._answer = answer
        self._why = why
        self._complaint = ""
        self._had_password = self._had_answer = False

    def refused(self) -> None:
        """The server did not like the answers; it may ask again."""
        both = "password or the rest" if self._had_answer else "password"
        self._complaint = f"{self._account} refuses that answer."
        if self._had_password:
            self._secrets.forget("password", self._account)
            self._complaint = f"{self._account} refuses that {both}."
        self._had_password = self._had_answer = False

    def reply(
        self, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str]:
        """Answers to questions that come together. Called by the connection's thread."""
        told = " ".join(filter(None, map(_clean, (title, instructions))))
        return [self._one(told, _clean(prompt), shown) for prompt, shown in prompts]

    def _one(self, told: str, prompt: str, shown: bool) -> str:
        self.asked += 1
        if not shown and not self._had_password and _asks_for_password(prompt):
            self._had_password = True
            message = _joined(self._complaint or self._why, told)
            return self._answer(
                DecisionNeededError("password", self._account, message, prompt=prompt)
            )
        self._had_answer = True
        complaint = "" if self._had_password else self._complaint
        message = _joined(complaint, told, f"{self._account} asks: {prompt}")
        return self._answer(
            DecisionNeededError("answer", self._account, message, prompt=prompt, shown=shown)
        )


def _asks_for_password(prompt: str) -> bool:
    return bool(_PASSWORD.search(prompt)) and not _NO_PASSWORD.search(prompt)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _clean(text: str) -> str:
    """What a server says, without what would play tricks on a terminal."""
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:_LONGEST_PROMPT]
