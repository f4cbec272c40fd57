"""Running a chat: typed on a terminal, read from a pipe, or a single question."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from luthier.trainers.errors import LuthierError

from ...chat.conversation import run_names
from ...models import Chat, ChatMessage, GenerateChunk, RunDetail, Sampling
from ..complaints import error_lines
from ..invocation import Invocation
from .commands import COMMANDS
from .faces import PipeFace, TerminalFace
from .opening import answering
from .session import Session

_HISTORY_LINES = 1000


@dataclass(frozen=True)
class Wishes:
    """What the command line says about the chat."""

    voice: str = ""
    system: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    prompt: str | None = None
    as_json: bool = False


def talk(here: Invocation, chat: Chat, runs: list[RunDetail], wishes: Wishes) -> None:
    """Hold the chat until the person leaves or the input ends.

    Raises:
        LuthierError: a wish cannot be met; in a pipe also a line that cannot be carried out.
    """
    on_terminal = here.terminal and wishes.prompt is None and not wishes.as_json
    face = TerminalFace(here.console) if on_terminal else PipeFace(here, as_json=wishes.as_json)

    def generate(
        voice: str, messages: list[ChatMessage], sampling: Sampling
    ) -> Iterator[GenerateChunk]:
        return answering(here, chat, voice, messages, sampling)

    session = Session(chat, generate, face, run_names(runs))
    face.name_of = session.name_of
    _grant(session, wishes)
    if wishes.prompt is not None:
        session.ask(wishes.prompt)
    elif on_terminal:
        _typed(here, session, face)
    else:
        for line in sys.stdin:
            if not session.line(line):
                return


def _grant(session: Session, wishes: Wishes) -> None:
    session.conversation.system = wishes.system
    session.sampling = wishes.sampling
    if wishes.voice:
        session.let_speak(wishes.voice)


def _typed(here: Invocation, session: Session, face: TerminalFace | PipeFace) -> None:
    who = " and ".join(session.name_of(voice) for voice in session.speaking)
    face.say(f"You talk to {who}. /help shows the commands, /quit leaves.")
    with _line_editing(here):
        while True:
            try:
                if not session.line(input("> ")):
                    return
            except EOFError:
                # A ctrl-c that was pressed just before changes nothing any more.
                with suppress(KeyboardInterrupt):
                    here.console.print()
                return
            except KeyboardInterrupt:
                # At the prompt it only clears the line, as in every shell; pressed twice, too.
                with suppress(KeyboardInterrupt):
                    here.console.print()
            except LuthierError as error:
                for line in error_lines(error):
                    here.remark(f"error: {line}", style="red")


@contextmanager
def _line_editing(here: Invocation) -> Iterator[None]:
    """Arrow keys, completion of commands, and a history that only its owner can read."""
    import readline

    history = here.home.path / "chat-history"
    if history.exists():
        readline.read_history_file(history)
    readline.set_history_length(_HISTORY_LINES)
    readline.set_completer_delims("")
    readline.set_completer(_complete)
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        readline.set_completer(None)
        os.close(os.open(history, os.O_CREAT | os.O_WRONLY, 0o600))
        readline.write_history_file(history)


def _complete(typed: str, number: int) -> str | None:
    matching = [f"/{name}" for name in COMMANDS if f"/{name}".startswith(typed)] if typed else []
    return matching[number] if number < len(matching) else None
