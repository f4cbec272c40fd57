"""Opening a chat in two steps, so that leaving the wait knows what to give up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.agent.models import Chat, OpenChatRequest
from luthier.trainers.errors import LuthierError

if TYPE_CHECKING:
    from luthier.agent.client import Client


@dataclass(frozen=True)
class Opened:
    """A chat that answers, and whether it was there before."""

    chat: Chat
    new: bool


def open_chat(client: Client, request: OpenChatRequest) -> Opened:
    """Open a chat without waiting for its model. Raises LuthierError when it cannot be."""
    before = {chat.id for chat in client.chats.all()}
    chat = client.chats.open(request)
    return Opened(chat, chat.id not in before)


def loaded_chat(client: Client, request: OpenChatRequest) -> Chat:
    """The same chat once its model is there. Raises LuthierError when it cannot be loaded."""
    chat = client.chats.open(request, wait=True)
    if chat.state == "failed":
        raise LuthierError(f"{chat.model} cannot be loaded: {chat.error}")
    return chat
