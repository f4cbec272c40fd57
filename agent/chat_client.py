"""The client's part about chats."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from .connection import Connection
from .models import (
    BatchReply,
    BatchRequest,
    Chat,
    GenerateChunk,
    GenerateRequest,
    OpenChatRequest,
)


class ChatClient:
    """Requests about chat workers; they raise as those of Client do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, request: OpenChatRequest, *, wait: bool = False) -> Chat:
        """Load a chat worker; with ``wait`` return once it is loaded, or has failed."""
        body = request.model_dump()
        return self._connection.send(
            "POST", "/v1/chats", Chat, body, params={"wait": wait}, timeout=None
        )

    def all(self) -> list[Chat]:
        """The loaded chat workers."""
        return self._connection.get_all("/v1/chats", Chat)

    def get(self, chat_id: str) -> Chat:
        """One chat worker."""
        return self._connection.get(_path(chat_id), Chat)

    def close(self, chat_id: str) -> None:
        """End a chat worker, which gives its memory back."""
        self._connection.request("DELETE", _path(chat_id))

    def generate(self, chat_id: str, request: GenerateRequest) -> Iterator[GenerateChunk]:
        """An answer in pieces as they are written; the last one has ``finish``."""
        path = _path(chat_id, "generate")
        return self._connection.stream(path, GenerateChunk, request.model_dump())

    def stop(self, chat_id: str) -> None:
        """End the answer that is being written; its stream ends with ``cancelled``."""
        self._connection.request("POST", _path(chat_id, "cancel"))

    def batch(self, chat_id: str, request: BatchRequest) -> BatchReply:
        """Answers to many conversations at once."""
        path = _path(chat_id, "batch")
        return self._connection.send("POST", path, BatchReply, request.model_dump(), timeout=None)


def _path(chat_id: str, *rest: str) -> str:
    return "/v1/chats/" + "/".join(quote(part, safe="") for part in (chat_id, *rest))
