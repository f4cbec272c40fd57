"""Loading a chat worker and asking it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from luthier.trainers.errors import LuthierError

from ...client import Client
from ...models import (
    Chat,
    ChatMessage,
    GenerateChunk,
    GenerateRequest,
    OpenChatRequest,
    Sampling,
)
from ...paths import Home
from ..invocation import Invocation


@contextmanager
def opened_chat(
    here: Invocation,
    runs: Sequence[str],
    model: str | None = None,
    *,
    offline: bool = False,
    cpu: bool = False,
    stay: bool = False,
) -> Iterator[Chat]:
    """A chat that is ready to answer; ended afterwards unless somebody else had loaded it.

    Args:
        cpu: answer on the CPU.
        stay: leave it loaded in any case, until its idle time is over.

    Raises:
        LuthierError: the runs have no result, or the model cannot be loaded.
    """
    named = _model_called(model) if model else None
    request = OpenChatRequest(runs=list(runs), model=named, offline=offline, cpu=cpu)
    loaded = {chat.id for chat in here.client.chats.all()}
    with here.busy(f"Loading {model or 'the model'} ..."):
        chat = here.client.chats.open(request, wait=True)
    try:
        if chat.state == "failed":
            raise LuthierError(f"The chat with {chat.model} cannot start: {chat.error}")
        yield chat
    finally:
        if chat.id not in loaded and not stay:
            here.client.chats.close(chat.id)


def answering(
    here: Invocation, chat: Chat, voice: str, messages: list[ChatMessage], sampling: Sampling
) -> Iterator[GenerateChunk]:
    """An answer in pieces. The first ctrl-c ends it gently, the second interrupts."""
    request = GenerateRequest(messages=messages, voice=voice, sampling=sampling)
    with _stopped_by_interrupt(here.home, chat.id):
        yield from here.client.chats.generate(chat.id, request)


def _model_called(name: str) -> str:
    """A local model as the agent can find it; a hub id as it is.

    Raises:
        LuthierError: a path leads nowhere.
    """
    local = Path(name).expanduser()
    if local.is_dir():
        return str(local.absolute())
    if name.startswith(("/", "./", "../", "~")):
        raise LuthierError(f"{name}: there is no such folder.")
    return name


@contextmanager
def _stopped_by_interrupt(home: Home, chat_id: str) -> Iterator[None]:
    """Let ctrl-c stop the answer instead of the chat."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop() -> None:
        # A connection of its own: the other one is being read right now. Where there is nothing
        # left to stop, whoever reads the answer learns why.
        with suppress(LuthierError), Client(home, start=False) as client:
            client.chats.stop(chat_id)

    def interrupted(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        threading.Thread(target=stop, daemon=True).start()

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
