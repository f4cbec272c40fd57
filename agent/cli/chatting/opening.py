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
    RunDetail,
    Sampling,
)
from ...paths import Home
from ..invocation import Invocation


@contextmanager
def opened_chat(
    here: Invocation, runs: Sequence[str], model: str | None = None, *, offline: bool = False
) -> Iterator[Chat]:
    """A chat that is ready to answer; ended afterwards unless somebody else had loaded it.

    Raises:
        LuthierError: the runs have no result, or the model cannot be loaded.
    """
    local = Path(model).expanduser() if model else None
    request = OpenChatRequest(
        runs=list(runs),
        model=str(local.absolute()) if local and local.is_dir() else model,
        offline=offline,
    )
    loaded = {chat.id for chat in here.client.chats()}
    with here.busy(f"Loading {model or 'the model'} ..."):
        chat = here.client.open_chat(request, wait=True)
    try:
        if chat.state == "failed":
            raise LuthierError(f"The chat with {chat.model} cannot start: {chat.error}")
        yield chat
    finally:
        if chat.id not in loaded:
            here.client.close_chat(chat.id)


def answering(
    here: Invocation, chat: Chat, voice: str, messages: list[ChatMessage], sampling: Sampling
) -> Iterator[GenerateChunk]:
    """An answer in pieces. The first ctrl-c ends it gently, the second interrupts."""
    request = GenerateRequest(messages=messages, voice=voice, sampling=sampling)
    with _stopped_by_interrupt(here.home, chat.id):
        yield from here.client.generate(chat.id, request)


def run_names(runs: Sequence[RunDetail]) -> dict[str, str]:
    """What the runs are called, by id; runs of one name keep their ids."""
    names = [run.name for run in runs]
    return {run.id: run.name if names.count(run.name) == 1 else run.id for run in runs}


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
            client.stop_generation(chat_id)

    def interrupted(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        threading.Thread(target=stop, daemon=True).start()

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
