"""The predict worker: the result of one run in one process, told what to do by lines.

python -m luthier.trainers.predicting.worker
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..data.columned import as_json
from ..errors import LuthierError
from ..registry import Task, find_task
from ..run_folder import RunFolder
from ..serving.channel import Channel
from ..serving.complaints import explain
from ..serving.worker import RequestWorker
from ..spec.file import load_spec
from .inputs import Given, given_rows, read_inputs
from .predictor import Predictor
from .protocol import (
    Answer,
    Failed,
    Finished,
    Load,
    Predict,
    Ready,
    Request,
    Started,
    parse_request,
)


class Worker(RequestWorker[Request]):
    """Predicts with the result of one run."""

    def __init__(self, channel: Channel[Request]) -> None:
        super().__init__(channel)
        self._loaded: tuple[Task, Predictor, dict[str, str]] | None = None

    def carry_out(self, request: Request, cancelled: threading.Event) -> None:
        """Load a result, or predict with it."""
        if isinstance(request, Load):
            self._load(request)
        elif isinstance(request, Predict):
            self._predict(request, cancelled)

    def refuse(self, request: Request, error: Exception) -> None:
        """Reply that the request failed, and whether by a mistake in what was given."""
        mistake = isinstance(error, LuthierError) and error.exit_code == 2
        self.channel.send(Failed(id=request.id, message=explain(error), mistake=mistake))

    def _load(self, request: Load) -> None:
        if self._loaded is not None:
            raise LuthierError("A result is loaded already.")
        run = RunFolder(Path(request.run))
        task = find_task(load_spec(run.spec).task)
        device = chosen_device()
        predictor: Predictor = task.imported("predict")(run, device)
        self._loaded = (task, predictor, _parts(run))
        self.channel.send(Ready(id=request.id, device=device))

    def _predict(self, request: Predict, cancelled: threading.Event) -> None:
        if self._loaded is None:
            raise LuthierError("No result is loaded.")
        task, predictor, parts = self._loaded
        started = time.monotonic()
        if request.source is None:
            given = given_rows(task, request.rows)
        else:
            sources = [request.source] if isinstance(request.source, str) else request.source
            given = [each for source in sources for each in read_inputs(task, source, parts)]
        self.channel.send(Started(id=request.id, total=len(given)))
        for first in range(0, len(given), predictor.batch_size):
            if cancelled.is_set():
                break
            self._answer(request.id, predictor, first, given[first : first + predictor.batch_size])
        seconds = time.monotonic() - started
        self.channel.send(Finished(id=request.id, cancelled=cancelled.is_set(), seconds=seconds))

    def _answer(
        self, number: int, predictor: Predictor, first: int, batch: Sequence[Given]
    ) -> None:
        found = predictor.predict([given.values for given in batch])
        for offset, (given, prediction) in enumerate(zip(batch, found, strict=True)):
            self.channel.send(
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
    Worker(Channel.from_standard_streams(parse_request)).serve()


if __name__ == "__main__":
    main()
