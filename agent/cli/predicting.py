"""Predictions on the command line: inputs in, JSON lines out, a bar while they are made."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from luthier.trainers.errors import LuthierError, TrainingError

from ..models import PredictChunk, PredictRequest
from .invocation import Invocation

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from luthier.trainers.registry import Inputs


def predict(
    here: Invocation,
    run: str,
    sources: Sequence[str],
    output: Path | None,
    *,
    force: bool,
    cpu: bool = False,
) -> int:
    """Write the predictions for an input; returns how many there are.

    Args:
        here: this call.
        run: the run whose result predicts.
        sources: texts, tables, pictures or folders, or ``-`` alone for the lines of standard input.
        output: the file to write, put in place when it is whole; None: standard output.
        force: replace the file if there is one.
        cpu: predict on the CPU.

    Raises:
        LuthierError: the input cannot be used, or the file is there.
        TrainingError: it went wrong on the way.
    """
    if output is not None and output.exists() and not force:
        raise LuthierError(f"{output} exists already.", hint="Choose another or --force.")
    detail = here.client.run(run)
    request = _request(sources, detail.task).model_copy(update={"cpu": cpu})
    count = 0
    with _sink(output) as sink, _Bar(here, visible=output is not None) as bar:
        for chunk in here.client.predict(detail.id, request):
            if chunk.total is not None:
                bar.begin(chunk.total)
            elif chunk.prediction is not None:
                sink.write(json.dumps(_line(chunk), ensure_ascii=False) + "\n")
                count += 1
                bar.step()
            elif chunk.finish != "done":
                kind = LuthierError if chunk.mistake else TrainingError
                raise kind(chunk.error or "The prediction was ended early.")
    return count


def _line(chunk: PredictChunk) -> dict[str, Any]:
    return {"where": chunk.where, "input": chunk.input, "prediction": chunk.prediction}


def _request(sources: Sequence[str], task: str) -> PredictRequest:
    from luthier.trainers.registry import find_task

    inputs = find_task(task).inputs
    if "-" not in sources:
        found = [_from_here(source, inputs) for source in sources]
        return PredictRequest(input=found if len(found) > 1 else found[0])
    if len(sources) > 1:
        raise LuthierError("Standard input (-) is read alone; leave the other inputs out.")
    role = inputs.roles[0] if inputs and inputs.roles else "text"
    lines = [line.rstrip("\n") for line in sys.stdin if line.strip()]
    if not lines:
        raise LuthierError("Standard input is empty.")
    rows = [_row(line, role, number) for number, line in enumerate(lines, start=1)]
    return PredictRequest(rows=[inputs.from_here(row) if inputs else row for row in rows])


def _from_here(source: str, inputs: Inputs | None) -> str:
    """A path made whole, and those of pictures in a JSON object; anything else as it is."""
    path = Path(source).expanduser()
    if _is_there(path):
        return str(path.absolute())
    try:
        row = json.loads(source) if source.lstrip().startswith("{") else None
    except json.JSONDecodeError:
        # The agent has the sentence for it.
        return source
    return json.dumps(inputs.from_here(row)) if inputs and row is not None else source


def _row(line: str, role: str, number: int) -> dict[str, Any]:
    if not line.lstrip().startswith("{"):
        return {role: line}
    try:
        found: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError as error:
        text = f"Standard input line {number} is not valid JSON: {error.msg}."
        raise LuthierError(text) from error
    return found


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # Too long for a name: a text.
        return False


@contextmanager
def _sink(output: Path | None) -> Iterator[IO[str]]:
    """Where the lines go; a file appears once it is whole."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    partial = output.with_name(f".{output.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


class _Bar:
    """A progress bar on a terminal's standard error."""

    def __init__(self, here: Invocation, *, visible: bool) -> None:
        self._here = here
        self._visible = visible and sys.stderr.isatty()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def begin(self, total: int) -> None:
        """Show the bar."""
        if not self._visible:
            return
        from rich.progress import Progress

        self._progress = Progress(console=self._here.remarks, transient=True)
        self._task = self._progress.add_task("predicting", total=total)
        self._progress.start()

    def step(self) -> None:
        """One more is done."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)
