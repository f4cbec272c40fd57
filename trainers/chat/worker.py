"""The chat worker: one base model in one process, told what to do by lines on standard input.

python -m luthier.trainers.chat.worker
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LuthierError
from ..serving.channel import Channel
from ..serving.complaints import explain
from ..serving.worker import RequestWorker
from .protocol import (
    Added,
    AddVoice,
    Answer,
    Batch,
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


class Worker(RequestWorker[Request]):
    """Answers with one base model and its adapters."""

    def __init__(self, channel: Channel[Request]) -> None:
        super().__init__(channel)
        self._voices: Voices | None = None

    def carry_out(self, request: Request, cancelled: threading.Event) -> None:
        """Load, add a voice, or let one write."""
        if isinstance(request, Load):
            self._load(request)
        elif isinstance(request, AddVoice):
            self._loaded.add(request.name, Path(request.path), request.system_prompt)
            self.channel.send(Added(id=request.id, name=request.name))
        elif isinstance(request, Generate):
            self._generate(request, cancelled)
        elif isinstance(request, Batch):
            self._batch(request, cancelled)

    def refuse(self, request: Request, error: Exception) -> None:
        """Reply that the request failed."""
        self.channel.send(Failed(id=request.id, message=explain(error)))

    def recover(self) -> None:
        """Give back what a failed request had allocated."""
        if self._voices is not None:
            self._voices.release_memory()

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
        self.channel.send(
            Ready(
                id=request.id,
                device=str(self._voices.device),
                dtype=self._voices.dtype,
                context=self._voices.context,
            )
        )

    def _generate(self, request: Generate, cancelled: threading.Event) -> None:
        from .generation import answer

        def show(text: str) -> None:
            self.channel.send(Token(id=request.id, text=text))

        figures = answer(
            self._loaded,
            request.voice,
            request.messages,
            request.choice,
            show,
            cancelled,
        )
        self.channel.send(
            Finished(
                id=request.id,
                finish=figures.finish,
                prompt_tokens=figures.prompt_tokens,
                completion_tokens=figures.completion_tokens,
                first_token_seconds=figures.first_token,
                tokens_per_second=figures.tokens_per_second,
            )
        )

    def _batch(self, request: Batch, cancelled: threading.Event) -> None:
        from .generation import answer_all

        def show(index: int, text: str) -> None:
            self.channel.send(Answer(id=request.id, index=index, text=text))

        started = time.monotonic()
        figures = answer_all(
            self._loaded,
            request.voice,
            request.conversations,
            request.choice,
            show,
            cancelled,
        )
        elapsed = time.monotonic() - started
        self.channel.send(
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
    Worker(Channel.from_standard_streams(parse_request)).serve()


if __name__ == "__main__":
    main()
