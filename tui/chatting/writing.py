"""An answer while it is written: a thread reads it, the screen looks at it now and then."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from luthier.agent.errors import RefusedError
from luthier.agent.models import Chat, GenerateChunk, GenerateRequest, OpenChatRequest
from luthier.trainers.errors import LuthierError

from .opening import loaded_chat

if TYPE_CHECKING:
    from luthier.agent.client import Client


class Writing:
    """One answer in the making. Thread-safe.

    Attributes:
        voice: whose answer.
        last: its last piece, with the figures; None while more may come.
    """

    def __init__(self, voice: str) -> None:
        self.voice = voice
        self.last: GenerateChunk | None = None
        self._pieces: list[str] = []
        self._asked_at = time.monotonic()
        self._stopped = threading.Event()

    @property
    def text(self) -> str:
        """What there is so far."""
        return "".join(self._pieces)

    @property
    def seconds(self) -> float:
        """Since the question was asked."""
        return time.monotonic() - self._asked_at

    @property
    def in_words(self) -> str:
        """What it waits for."""
        if self.stopped:
            return "stopping"
        if self._pieces:
            return "writing; escape stops it"
        return f"waiting for the first word, {self.seconds:.0f} s"

    @property
    def stopped(self) -> bool:
        """Whether nobody wants the rest."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Want no more; the agent is told with the next piece, if not before."""
        self._stopped.set()

    def add(self, piece: GenerateChunk) -> None:
        """Take in the next piece."""
        self._pieces.append(piece.text)
        if piece.finish is not None:
            self.last = piece

    def fail(self, error: str) -> None:
        """End it with what went wrong."""
        self.last = GenerateChunk(finish="error", error=error)


def write(
    client: Client,
    opening: OpenChatRequest,
    chat_id: str,
    request: GenerateRequest,
    writing: Writing,
) -> Chat | None:
    """Let the chat answer; what goes wrong becomes the end of the answer.

    An agent that was restarted has forgotten the chat, which is then opened again.

    Returns:
        the chat that was opened again; None where that was not needed.
    """
    again: Chat | None = None
    try:
        try:
            _read(client, chat_id, request, writing)
        except RefusedError as error:
            if error.status != 404 or writing.stopped:
                raise
            again = loaded_chat(client, opening)
            _read(client, again.id, request, writing)
    except LuthierError as error:
        writing.fail(str(error))
    if writing.last is None:
        writing.fail("The agent ended before the answer did.")
    return again


def _read(client: Client, chat_id: str, request: GenerateRequest, writing: Writing) -> None:
    told = False
    for piece in client.chats.generate(chat_id, request):
        writing.add(piece)
        if writing.stopped and not told and piece.finish is None:
            # Whoever stopped it may have told the agent before it had begun with the answer.
            client.chats.stop(chat_id)
            told = True
