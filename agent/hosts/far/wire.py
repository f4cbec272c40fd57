"""Frames over the two ends of a byte stream: a line of JSON, then as many bytes as it says."""

from __future__ import annotations

import json
import threading
from typing import Any, BinaryIO, Dict  # noqa: UP035 - Python 3.8 evaluates it below.

GREETING = b"luthier-far 1\n"
"""The first line that is ours; what a login shell prints comes before it."""

Frame = Dict[str, Any]  # noqa: UP006 - as above


class Wire:
    """One end. Frames may be sent by several threads; one reads."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self.source = source
        self._sink = sink
        self._lock = threading.Lock()

    def send(self, frame: Frame, body: bytes = b"") -> None:
        """Send a frame with its body. Raises EOFError when the other end is gone."""
        if body:
            frame = dict(frame, bytes=len(body))
        line = json.dumps(frame, separators=(",", ":")).encode() + b"\n"
        try:
            with self._lock:
                self._sink.write(line)
                if body:
                    self._sink.write(body)
                self._sink.flush()
        except (OSError, ValueError):
            raise EOFError from None

    def receive(self) -> Frame | None:
        """The next frame without its body, which the caller reads; None at the end."""
        line = self.source.readline()
        if not line.endswith(b"\n"):
            return None
        frame: Frame = json.loads(line)
        return frame

    def body(self, frame: Frame) -> bytes:
        """The body of a frame. Raises EOFError when the other end is gone."""
        size = frame.get("bytes", 0)
        body = self.source.read(size) if size else b""
        if len(body) < size:
            raise EOFError
        return body
