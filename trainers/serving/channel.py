"""The worker's end of the protocol, kept apart from what libraries print or read."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Generic, TypeVar

from pydantic import BaseModel

from .messages import encode

R = TypeVar("R")


class Channel(Generic[R]):
    """Requests in, replies out. ``send`` may be called from any thread.

    Args:
        source: where requests come from, one a line.
        sink: where replies go.
        parse: reads a request from its line.
    """

    def __init__(self, source: BinaryIO, sink: BinaryIO, parse: Callable[[bytes], R]) -> None:
        self._source = source
        self._sink = sink
        self._parse = parse
        self._lock = threading.Lock()

    @classmethod
    def from_standard_streams(cls, parse: Callable[[bytes], R]) -> Channel[R]:
        """Take standard input and output for the protocol alone.

        From then on whatever prints goes to standard error, and whatever reads finds nothing.
        """
        source, sink = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        sys.stdout.flush()
        os.dup2(2, 1)
        return cls(os.fdopen(source, "rb"), os.fdopen(sink, "wb", buffering=0), parse)

    def requests(self) -> Iterator[R]:
        """The requests as they come, until the other side closes its end."""
        for line in self._source:
            yield self._parse(line)

    def send(self, reply: BaseModel) -> None:
        """Send one reply. Raises BrokenPipeError when nobody is there any more."""
        line = memoryview(encode(reply))
        with self._lock:
            while line:
                line = line[self._sink.write(line) :]
