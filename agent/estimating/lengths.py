"""How long the rows of a spec's data are: measured once in a worker, then known."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from luthier.presets.memory import Lengths
from luthier.trainers.data.report import InspectReport, LengthReport
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import dump_spec

from .worker import module_command, run_worker

_MODULE = "luthier.trainers.data.inspect"
_MOST_KEPT = 64
# Settings that decide how long rows are.
_DECIDING = ("task", "model", "data")


@dataclass(frozen=True)
class Measured:
    """What is known about the rows; ``note`` says what is not."""

    lengths: Lengths | None = None
    note: str = ""


class RowLengths:
    """Measures and remembers; one measurement at a time."""

    def __init__(self, *, offline: bool) -> None:
        self._offline = offline
        self._known: dict[str, Measured] = {}
        self._turn = asyncio.Lock()

    def known(self, spec: RunSpec) -> Measured | None:
        """What an earlier measurement of the same data found; None: there was none."""
        return self._known.get(_key(spec))

    async def measure(self, spec: RunSpec) -> Measured:
        """Measure the rows, unless that has been done."""
        key = _key(spec)
        async with self._turn:
            found = self._known.get(key)
            if found is None:
                found = await self._look(spec)
                while len(self._known) >= _MOST_KEPT:
                    del self._known[next(iter(self._known))]
                self._known[key] = found
            return found

    async def _look(self, spec: RunSpec) -> Measured:
        offline = self._offline or spec.launch.offline
        with tempfile.TemporaryDirectory(prefix="luthier-") as folder:
            path = Path(folder) / "spec.yaml"
            path.write_text(dump_spec(spec), encoding="utf-8")
            ended = await run_worker(module_command(_MODULE, str(path)), offline=offline)
        try:
            report = InspectReport.model_validate_json(ended.out)
        except ValidationError:
            return Measured(note=f"The data could not be measured: {ended.last_words}")
        if report.problems:
            return Measured(note=f"The data could not be measured: {report.problems[0]}")
        if report.train is None or report.train.lengths is None:
            return Measured(note="The rows of this task have no length in tokens.")
        if report.train.lengths.unit != "tokens":
            return Measured(note="The lengths in tokens are not known: there is no tokenizer here.")
        return Measured(_of_report(report.train.used, report.train.lengths))


def _of_report(rows: int, lengths: LengthReport) -> Lengths:
    """The figures of a report; between those that it tells, lengths are taken to rise evenly."""
    known = ((0, lengths.minimum), (10, lengths.median), (19, lengths.p95), (20, lengths.maximum))
    quantiles = []
    for place in range(21):
        after = next(index for index, (where, _) in enumerate(known) if where >= place)
        start, low = known[max(0, after - 1)]
        end, high = known[after]
        share = (place - start) / (end - start) if end > start else 0.0
        quantiles.append(round(low + share * (high - low)))
    mean = sum(quantiles) / len(quantiles)
    return Lengths(
        rows=rows,
        tokens=round(mean * rows),
        longest=lengths.maximum,
        quantiles=tuple(quantiles),
    )


def _key(spec: RunSpec) -> str:
    values = spec.model_dump(mode="json")
    deciding = {name: values.get(name) for name in _DECIDING}
    path = Path(str(values.get("data", {}).get("path", "")))
    try:
        state = path.stat()
        deciding["file"] = [state.st_mtime_ns, state.st_size]
    except (OSError, ValueError):
        deciding["file"] = None
    return json.dumps(deciding, sort_keys=True)
