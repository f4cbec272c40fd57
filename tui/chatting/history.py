"""Earlier conversations: ``chats/history/<run>.jsonl`` in the home, one line for every turn.

A line says which turn of which conversation it is; a later line for the same turn replaces it and
everything after it, which is how changed questions and answers are kept. Lines are only ever
added, so two terminals may write at once and a lost connection costs one line at most.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from luthier.agent.chat.conversation import GIVEN, Conversation, Turn
from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError


@dataclass
class Line:
    """One line of a file: turn ``index`` of a conversation, and when it was written."""

    conversation: str
    t: float
    system: str
    index: int
    turn: Turn


@dataclass
class Kept:
    """A conversation and where it is kept.

    Attributes:
        run: the run in whose file it is.
        changed: Unix seconds of the last turn.
        written: how many of its turns the file has as they are.
    """

    run: str
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    changed: float = field(default_factory=time.time)
    conversation: Conversation = field(default_factory=Conversation)
    written: int = 0

    @property
    def title(self) -> str:
        """The first question that a person asked."""
        turns = self.conversation.turns
        return next((turn.prompt for turn in turns if GIVEN not in turn.answers), "")

    def changed_from(self, index: int) -> None:
        """The turns from that one on are no longer as they were kept."""
        self.written = min(self.written, index)


_LINE = TypeAdapter(Line)


class History:
    """The conversations of one home, readable by its owner only."""

    def __init__(self, home: Home) -> None:
        self.folder = home.path / "chats" / "history"

    def keep(self, kept: Kept) -> None:
        """Add the turns that are not kept yet. Raises LuthierError when it cannot be written."""
        conversation = kept.conversation
        lines = b"".join(
            _encode(Line(kept.id, time.time(), conversation.system, index, turn))
            for index, turn in enumerate(conversation.turns[kept.written :], start=kept.written)
        )
        if not lines:
            return
        path = self._path(kept.run)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _append(path, lines)
        except OSError as error:
            raise LuthierError(
                f"{path}: the conversation cannot be kept: {error.strerror or error}."
            ) from error
        kept.written, kept.changed = len(conversation.turns), time.time()

    def all(self, runs: Iterable[str]) -> list[Kept]:
        """The conversations of these runs, the last one first.

        Lines that cannot be read, such as a torn last one, are left out.

        Raises:
            LuthierError: a file cannot be read.
        """
        found = [kept for run in dict.fromkeys(runs) for kept in self._read(run).values()]
        return sorted(found, key=lambda kept: kept.changed, reverse=True)

    def remove(self, kept: Kept) -> None:
        """Delete a conversation from its file. Raises LuthierError."""
        path = self._path(kept.run)
        left = [line for line in self._lines(path) if _conversation(line) != kept.id]
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.unlink(missing_ok=True)
            _append(beside, b"".join(left))
            beside.replace(path)
        except OSError as error:
            raise LuthierError(f"{path}: {error.strerror or error}.") from error

    def _path(self, run: str) -> Path:
        return self.folder / f"{run}.jsonl"

    def _lines(self, path: Path) -> list[bytes]:
        try:
            return path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LuthierError(f"{path}: {error.strerror or error}.") from error

    def _read(self, run: str) -> dict[str, Kept]:
        found: dict[str, Kept] = {}
        for raw in self._lines(self._path(run)):
            line = _decode(raw)
            if line is None:
                continue
            kept = found.setdefault(line.conversation, Kept(run, line.conversation))
            turns = kept.conversation.turns
            if line.index <= len(turns):
                turns[line.index :] = [line.turn]
                kept.conversation.system, kept.changed = line.system, line.t
                kept.written = len(turns)
        return found


def _encode(line: Line) -> bytes:
    return _LINE.dump_json(line, exclude_defaults=True) + b"\n"


def _decode(raw: bytes) -> Line | None:
    try:
        return _LINE.validate_json(raw)
    except ValidationError:
        return None


def _conversation(raw: bytes) -> str | None:
    line = _decode(raw)
    return line.conversation if line else None


def _append(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        # A torn last line must not swallow the next one.
        file.write(b"\n" + data if _is_torn(path) else data)


def _is_torn(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
