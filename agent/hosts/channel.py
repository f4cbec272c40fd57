"""The near end of a channel: a far end started over a connection, asked and heard."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .bootstrap import NO_PYTHON, command_line, payload
from .connect import Connection
from .errors import HostError, HostUnreachableError
from .far.wire import GREETING, Frame, Wire

_START_SECONDS = 90.0
_NOISE_BYTES = 64 * 1024
_READ_BYTES = 256 * 1024
# The largest packet that OpenSSH takes, less what paramiko keeps for itself.
_SENT_BYTES = 32 * 1024 - 64


_ANOTHER_FOLDER = "name a folder elsewhere with: luthier host add NAME ADDRESS --folder PATH"
_HINTS: dict[int | None, str] = {
    errno.ENOSPC: f"Free some space there, or {_ANOTHER_FOLDER}",
    errno.EDQUOT: f"Free some space there, or {_ANOTHER_FOLDER}",
    errno.EACCES: f"Let the account write there, or {_ANOTHER_FOLDER}",
    errno.EROFS: f"Nothing can be written there; {_ANOTHER_FOLDER}",
}


class _ChannelIO(io.RawIOBase):
    """A paramiko channel as a file."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.heard_at = time.monotonic()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._channel.recv(len(buffer))
        buffer[: len(data)] = data
        self.heard_at = time.monotonic()
        return len(data)

    def write(self, data: Any) -> int:
        # What paramiko cannot send at once it copies, again and again.
        view = memoryview(data)
        for start in range(0, len(view), _SENT_BYTES):
            self._channel.sendall(view[start : start + _SENT_BYTES])
        return len(data)


def greet(channel: Channel, folder: str) -> Frame:
    """Ask who and where the far end is, and have our folder made. Raises like Channel.ask."""
    try:
        return channel.ask("hello", folder=folder)
    except HostUnreachableError:
        raise
    except HostError as error:
        hint = error.hint or f"It is where all of ours lies; {_ANOTHER_FOLDER}"
        raise HostError(error.message, hint=hint) from error


class Channel:
    """One far end. Requests may come from several threads; answers are read by one.

    Either :meth:`listen` is run by a thread of its own, and :meth:`ask` waits for its answer; or
    nobody listens, and :meth:`converse` reads itself.
    """

    def __init__(self, connection: Connection, pythons: Sequence[str]) -> None:
        self._connection = connection
        self._account = connection.settings.account
        self._channel = connection.command(command_line(pythons))
        self._stream = stream = _ChannelIO(self._channel)
        # A raw stream writes as a file does, although it is none to mypy.
        self.wire = Wire(io.BufferedReader(stream, _READ_BYTES), stream)  # type: ignore[arg-type]
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Frame | None]] = {}
        self._lock = threading.Lock()
        self._pinging = threading.Lock()
        self.ended = False
        self._start()

    def _start(self) -> None:
        """Send the program and wait for its greeting; what a login shell prints is passed over."""
        timer = threading.Timer(_START_SECONDS, self.close)
        timer.daemon = True
        timer.start()
        try:
            self._channel.sendall(payload())
            noise = b""
            while not (line := self.wire.source.readline(_NOISE_BYTES)).endswith(GREETING):
                noise = (noise + line)[-_NOISE_BYTES:]
                if not line or line.strip() == NO_PYTHON:
                    raise self._not_started(noise)
        except OSError as error:
            self.close()
            raise self._lost() from error
        finally:
            timer.cancel()

    def _not_started(self, noise: bytes) -> HostError:
        if NO_PYTHON in noise:
            self.close()
            return HostError(
                f"{self._account} has no Python that can be used (3.8 or newer).",
                hint="Install one, or name one with: luthier host setup NAME --python PATH",
            )
        if not self._connection.alive:
            self.close()
            return self._lost()
        said = noise + self._errors()
        self.close()
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        return HostError(
            f"{self._account}: its login shell did not run the command: "
            f"{last[0] if last else 'it said nothing'}.",
            hint="Does this work: ssh ... true? The login shell must be able to run /bin/sh.",
        )

    def _errors(self) -> bytes:
        found = b""
        while self._channel.recv_stderr_ready():
            found += self._channel.recv_stderr(_NOISE_BYTES)
        return found

    # -- with a listener -----------------------------------------------------------------------

    def listen(self, heard: Callable[[Frame, bytes], None]) -> None:
        """Read until the end: answers go to who waits for them, everything else to ``heard``."""
        try:
            while (frame := self.wire.receive()) is not None:
                body = self.wire.body(frame)
                waiting = self._waiting.get(frame.get("id", 0))
                if waiting is not None:
                    waiting.put(frame)
                elif "push" in frame:
                    heard(frame, body)
        except (EOFError, OSError, ValueError):
            # A cut in the middle of a frame is an end like any other.
            return
        finally:
            self.close()

    def ask(self, op: str, body: bytes = b"", *, seconds: float = 60.0, **fields: Any) -> Frame:
        """Send a request and return its answer.

        Raises:
            HostUnreachableError: the channel ended, or no answer came in time.
            HostError: the host could not do it, with its reason.
        """
        *_, last = self.lines(op, body, seconds=seconds, **fields)
        return last

    def lines(
        self, op: str, body: bytes = b"", *, seconds: float = 60.0, **fields: Any
    ) -> Iterator[Frame]:
        """Like ask, with every frame of an answer in pieces; ``seconds`` is for each of them."""
        number = next(self._numbers)
        answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        with self._lock:
            if self.ended:
                raise self._lost()
            self._waiting[number] = answers
        try:
            self._send({"id": number, "op": op, **fields}, body)
            more = True
            while more:
                frame = self._next(answers, op, seconds)
                more = bool(frame.get("more"))
                yield frame
        finally:
            del self._waiting[number]

    def _next(self, answers: queue.SimpleQueue[Frame | None], op: str, seconds: float) -> Frame:
        try:
            frame = answers.get(timeout=seconds)
        except queue.Empty:
            raise HostUnreachableError(
                f"{self._account} did not answer {op} within {seconds:.0f} seconds."
            ) from None
        if frame is None:
            raise self._lost()
        return self._checked(frame)

    # -- without one ---------------------------------------------------------------------------

    def send(self, op: str, body: bytes = b"", **fields: Any) -> None:
        """Send a request whose answers are read with :meth:`receive`, in order."""
        self._send({"id": next(self._numbers), "op": op, **fields}, body)

    def receive(self) -> tuple[Frame, bytes]:
        """The next frame that answers something. Raises like ask."""
        while True:
            try:
                frame = self.wire.receive()
                body = self.wire.body(frame) if frame else b""
            except (EOFError, OSError, ValueError):
                frame = None
            if frame is None:
                self.close()
                raise self._lost()
            if "push" not in frame:
                return self._checked(frame), body

    def converse(self, op: str, body: bytes = b"", **fields: Any) -> Frame:
        """Send one request and read its answer. Raises like ask."""
        self.send(op, body, **fields)
        return self.receive()[0]

    # -- both ----------------------------------------------------------------------------------

    @property
    def heard_at(self) -> float:
        """When anything last came from the far end, by the monotonic clock."""
        return self._stream.heard_at

    def ping(self) -> None:
        """Say that we are here, since a far end that hears nothing leaves. Does not block."""
        # Sending blocks while a dead link's window is full; that must stop nobody.
        if not self.ended and self._pinging.acquire(blocking=False):
            threading.Thread(target=self._ping, daemon=True).start()

    def _ping(self) -> None:
        try:
            with contextlib.suppress(HostUnreachableError):
                self.send("ping")
        finally:
            self._pinging.release()

    def detach(self) -> Any:
        """The bare channel, once the far end has become another program."""
        return self._channel

    def close(self) -> None:
        """End the far end; whoever waits for an answer hears that."""
        with self._lock:
            self.ended = True
            waiting = list(self._waiting.values())
        for each in waiting:
            each.put(None)
        # Closing tells the other end, which may be gone.
        with contextlib.suppress(EOFError, OSError):
            self._channel.close()

    def _send(self, frame: Frame, body: bytes) -> None:
        try:
            self.wire.send(frame, body)
        except EOFError:
            self.close()
            raise self._lost() from None

    def _checked(self, frame: Frame) -> Frame:
        if "error" in frame:
            hint = _HINTS.get(frame.get("errno"), "")
            raise HostError(f"{self._account}: {frame['error'].rstrip('.')}.", hint=hint)
        return frame

    def _lost(self) -> HostUnreachableError:
        return HostUnreachableError(f"{self._account}: the connection was lost.")
