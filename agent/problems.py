"""What is wrong with the agent right now, for its status."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


class Problems:
    """Sentences by subject; a subject has one sentence at a time."""

    def __init__(self) -> None:
        self._sentences: dict[str, str] = {}

    def set(self, subject: str, sentence: str) -> None:
        """Say what is wrong with the subject; logged when it is news."""
        if self._sentences.get(subject) != sentence:
            _log.warning("%s: %s", subject, sentence)
        self._sentences[subject] = sentence

    def clear(self, subject: str) -> None:
        """Say that the subject is well again."""
        if self._sentences.pop(subject, None) is not None:
            _log.info("%s: well again", subject)

    def sentences(self) -> list[str]:
        """Everything that is wrong, oldest first."""
        return list(self._sentences.values())
