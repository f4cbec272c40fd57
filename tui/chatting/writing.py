"""An answer while it is written: a thread reads it, the screen looks at it now and then."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.agent.errors import RefusedError
from luthier.agent.models import Chat, GenerateChunk, GenerateRequest, OpenChatRequest
from luthier.trainers.errors import LuthierError

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
    def stopped(self) -> bool:
        """Whether nobody wants the rest."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Want no more. What the agent still writes is to be stopped there too."""
        self._stopped.set()

    def add(self, piece: GenerateChunk) -> None:
        """Take in the next piece."""
        self._pieces.append(piece.text)
        if piece.finish is not None:
            self.last = piece

    def fail(self, error: str) -> None:
        """End it with what went wrong."""
        self.last = GenerateChunk(finish="error", error=error)


@dataclass(frozen=True)
class Opened:
    """A chat that answers, and whether it was there before."""

    chat: Chat
    new: bool


def open_chat(client: Client, request: OpenChatRequest) -> Opened:
    """Open a chat without waiting for its model. Raises LuthierError when it cannot be."""
    before = {chat.id for chat in client.chats()}
    chat = client.open_chat(request)
    return Opened(chat, chat.id not in before)


def loaded_chat(client: Client, request: OpenChatRequest) -> Chat:
    """The same chat once its model is there. Raises LuthierError when it cannot be loaded."""
    chat = client.open_chat(request, wait=True)
    if chat.state == "failed":
        raise LuthierError(f"{chat.model} cannot be loaded: {chat.error}")
    return chat


def write(
    client: Client,
    opening: OpenChatRequest,
    chat_id: str,
    request: GenerateRequest,
    writing: Writing,
) -> str:
    """Let the chat answer; what goes wrong becomes the end of the answer.

    An agent that was restarted has forgotten the chat, which is then opened again.

    Returns:
        the id of the chat that answered.
    """
    try:
        try:
            _read(client, chat_id, request, writing)
        except RefusedError as error:
            if error.status != 404:
                raise
            chat_id = loaded_chat(client, opening).id
            _read(client, chat_id, request, writing)
    except LuthierError as error:
        writing.fail(str(error))
    if writing.last is None:
        writing.add(GenerateChunk(finish="cancelled"))
    return chat_id


def _read(client: Client, chat_id: str, request: GenerateRequest, writing: Writing) -> None:
    # Closed by leaving the loop, which tells the agent that nobody listens any more.
    for piece in client.generate(chat_id, request):
        writing.add(piece)
        if writing.stopped and piece.finish is None:
            return
