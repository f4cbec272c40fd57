"""The chat worker: one base model in one process, told what to do by lines on standard input.

    python -m luthier.trainers.chat.worker

It ends when its input ends, at once and whatever it is doing, so that it never outlives the agent
that started it. A request that cannot be carried out is answered with ``failed`` and one sentence;
the traceback goes to standard error.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ..errors import LuthierError
from .channel import Channel
from .complaints import explain
from .protocol import (
    Added,
    AddVoice,
    Answer,
    Batch,
    Cancel,
    Failed,
    Finished,
    Generate,
    Load,
    Ready,
    Request,
    Token,
    parse_request,
)

if TYPE_CHECKING:
    from .voices import Voices


class Worker:
    """Carries requests out, one after the other."""

    def __init__(self, channel: Channel[Request]) -> None:
        self._channel = channel
        self._voices: Voices | None = None
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._cancelled: dict[int, threading.Event] = {}

    def listen(self) -> None:
        """Take requests in until there are no more, then end the process."""
        code = 1
        try:
            for request in self._channel.requests():
                self._take(request)
            code = 0
        except ValidationError:
            traceback.print_exc()
        # Nobody listens any more and nothing is worth saving; loading cannot be interrupted
        # in any other way.
        os._exit(code)

    def work(self) -> None:
        """Carry out what comes in, for ever."""
        while True:
            request, failed = self._requests.get(), False
            try:
                self._carry_out(request)
            except Exception as error:
                traceback.print_exc()
                self._channel.send(Failed(id=request.id, message=explain(error)))
                failed = True
            finally:
                self._cancelled.pop(request.id, None)
            # Only now is the exception gone, which held on to what the request had allocated.
            if failed and self._voices is not None:
                self._voices.release_memory()

    def _take(self, request: Request) -> None:
        if isinstance(request, Cancel):
            if event := self._cancelled.get(request.id):
                event.set()
            return
        if isinstance(request, Generate | Batch):
            self._cancelled[request.id] = threading.Event()
        self._requests.put(request)

    def _carry_out(self, request: Request) -> None:
        if isinstance(request, Load):
            self._load(request)
        elif isinstance(request, AddVoice):
            self._loaded.add(request.name, Path(request.path), request.system_prompt)
            self._channel.send(Added(id=request.id, name=request.name))
        elif isinstance(request, Generate):
            self._generate(request)
        elif isinstance(request, Batch):
            self._batch(request)

    @property
    def _loaded(self) -> Voices:
        if self._voices is None:
            raise LuthierError("No model is loaded.")
        return self._voices

    def _load(self, request: Load) -> None:
        from .voices import Voices

        if self._voices is not None:
            raise LuthierError("A model is loaded already.")
        self._voices = Voices(request.model, request.voice, request.system_prompt)
        self._channel.send(
            Ready(
                id=request.id,
                device=str(self._voices.device),
                dtype=self._voices.dtype,
                context=self._voices.context,
            )
        )

    def _generate(self, request: Generate) -> None:
        from .generation import answer

        def show(text: str) -> None:
            self._channel.send(Token(id=request.id, text=text))

        figures = answer(
            self._loaded,
            request.voice,
            request.messages,
            request.choice,
            show,
            self._cancelled[request.id],
        )
        self._channel.send(
            Finished(
                id=request.id,
                finish=figures.finish,
                prompt_tokens=figures.prompt_tokens,
                completion_tokens=figures.completion_tokens,
                first_token_seconds=figures.first_token,
                tokens_per_second=figures.tokens_per_second,
            )
        )

    def _batch(self, request: Batch) -> None:
        from .generation import answer_all

        def show(index: int, text: str) -> None:
            self._channel.send(Answer(id=request.id, index=index, text=text))

        started = time.monotonic()
        figures = answer_all(
            self._loaded,
            request.voice,
            request.conversations,
            request.choice,
            show,
            self._cancelled[request.id],
        )
        elapsed = time.monotonic() - started
        self._channel.send(
            Finished(
                id=request.id,
                finish=figures.finish,
                prompt_tokens=figures.prompt_tokens,
                completion_tokens=figures.completion_tokens,
                tokens_per_second=figures.completion_tokens / elapsed if elapsed > 0 else None,
            )
        )


def main() -> None:
    """Run the worker on this process's standard streams."""
    worker = Worker(Channel.from_standard_streams(parse_request))
    threading.Thread(target=worker.listen, name="requests", daemon=True).start()
    worker.work()


if __name__ == "__main__":
    main()
