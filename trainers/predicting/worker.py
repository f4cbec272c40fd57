"""The predict worker: the result of one run in one process, told what to do by lines.

    python -m luthier.trainers.predicting.worker

It ends when its input ends, at once and whatever it is doing. A request that cannot be carried out
is answered with ``failed`` and one sentence; the traceback goes to standard error.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..chat.channel import Channel
from ..chat.complaints import explain
from ..data.columned import as_json
from ..errors import LuthierError
from ..registry import Task, find_task
from ..run_folder import RunFolder
from ..spec.file import load_spec
from .inputs import Given, given_rows, read_inputs
from .predictor import Predictor
from .protocol import (
    Answer,
    Cancel,
    Failed,
    Finished,
    Load,
    Predict,
    Ready,
    Request,
    Started,
    parse_request,
)


class Worker:
    """Carries requests out, one after the other."""

    def __init__(self, channel: Channel[Request]) -> None:
        self._channel = channel
        self._loaded: tuple[Task, Predictor, dict[str, str]] | None = None
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
        # Nobody listens any more and nothing is worth saving; loading cannot be interrupted.
        os._exit(code)

    def work(self) -> None:
        """Carry out what comes in, for ever."""
        while True:
            request = self._requests.get()
            try:
                if isinstance(request, Load):
                    self._load(request)
                elif isinstance(request, Predict):
                    self._predict(request)
            except Exception as error:
                traceback.print_exc()
                mistake = isinstance(error, LuthierError) and error.exit_code == 2
                self._channel.send(Failed(id=request.id, message=explain(error), mistake=mistake))
            finally:
                self._cancelled.pop(request.id, None)

    def _take(self, request: Request) -> None:
        if isinstance(request, Cancel):
            if event := self._cancelled.get(request.id):
                event.set()
            return
        self._cancelled[request.id] = threading.Event()
        self._requests.put(request)

    def _load(self, request: Load) -> None:
        if self._loaded is not None:
            raise LuthierError("A result is loaded already.")
        run = RunFolder(Path(request.run))
        task = find_task(load_spec(run.spec).task)
        device = chosen_device()
        predictor: Predictor = task.imported("predict")(run, device)
        self._loaded = (task, predictor, _parts(run))
        self._channel.send(Ready(id=request.id, device=device))

    def _predict(self, request: Predict) -> None:
        if self._loaded is None:
            raise LuthierError("No result is loaded.")
        task, predictor, parts = self._loaded
        started = time.monotonic()
        if request.source is not None:
            given = read_inputs(task, request.source, parts)
        else:
            given = given_rows(task, request.rows)
        self._channel.send(Started(id=request.id, total=len(given)))
        cancelled = self._cancelled[request.id]
        for first in range(0, len(given), predictor.batch_size):
            if cancelled.is_set():
                break
            self._answer(request.id, predictor, first, given[first : first + predictor.batch_size])
        seconds = time.monotonic() - started
        self._channel.send(Finished(id=request.id, cancelled=cancelled.is_set(), seconds=seconds))

    def _answer(
        self, number: int, predictor: Predictor, first: int, batch: Sequence[Given]
    ) -> None:
        found = predictor.predict([given.values for given in batch])
        for offset, (given, prediction) in enumerate(zip(batch, found, strict=True)):
            self._channel.send(
                Answer(
                    id=number,
                    index=first + offset,
                    where=given.where,
                    input=as_json(given.values),
                    prediction=as_json(prediction),
                )
            )


def chosen_device() -> str:
    """cpu or cuda: what the agent gave, or what this machine has."""
    given = os.environ.get("LUTHIER_DEVICE")
    if given:
        return given
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _parts(run: RunFolder) -> dict[str, str]:
    """Which columns of the run's own data play which part; none are known of some tasks."""
    if not run.preflight.exists():
        return {}
    found: Any = json.loads(run.preflight.read_text(encoding="utf-8"))
    parts: dict[str, str] = found.get("parts", {})
    return parts


def main() -> None:
    """Run the worker on this process's standard streams."""
    worker = Worker(Channel.from_standard_streams(parse_request))
    threading.Thread(target=worker.listen, name="requests", daemon=True).start()
    worker.work()


if __name__ == "__main__":
    main()
