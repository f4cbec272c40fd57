"""The curves of one run: what the state collects, and finer parts where somebody zooms in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.agent.models import Run, Series, StoredEvent

from .metrics import Panel, is_measured
from .plot.across import STEPS, Across, Kind
from .plot.axis import Limits
from .plot.buckets import Buckets
from .plot.curve import Curve
from .state import RunData

if TYPE_CHECKING:
    from luthier.agent.client import Client

POINTS = 4000
"""How many points of a metric are asked for at once."""

# Straight lines between so many points say well enough when a step was.
_KNOTS = 256
_PLACES = 32


@dataclass(frozen=True)
class Range:
    """Steps whose points are wanted finer than they are known."""

    name: str
    first: int
    last: int


class RunCurves:
    """Curves of a run over steps, epochs or time."""

    def __init__(self) -> None:
        self._finer: dict[str, tuple[Range, Buckets]] = {}
        self._across: tuple[object, Across] | None = None

    def forget(self) -> None:
        """Let go of what was fetched, because everything is read anew."""
        self._finer.clear()

    def across(self, data: RunData, kind: Kind, started: float) -> Across:
        """What is across for a run that started at that time."""
        if kind == "step":
            return STEPS
        points = data.epochs if kind == "epoch" else data.times
        key = (kind, points.version, started)
        if self._across is None or self._across[0] != key:
            zero = started if kind == "time" else 0.0
            known = points.within(0, float("inf"), _KNOTS)
            pairs = [(bucket.last_step, bucket.last - zero) for bucket in known]
            self._across = key, Across(kind, [(0, 0.0), *pairs])
        return self._across[1]

    def curves(
        self,
        data: RunData,
        panel: Panel,
        across: Across,
        names: Mapping[str, str],
        color: int = 0,
    ) -> list[Curve]:
        """The lines of a chart.

        Args:
            names: what each metric's line is called; an empty name is the metric's own.
            color: of the first line; the others follow.
        """
        return [
            Curve(
                names.get(name) or name,
                self._parts(data, name),
                color + number,
                across,
                smooth=not is_measured(name),
            )
            for number, name in enumerate(panel.metrics)
        ]

    def _parts(self, data: RunData, name: str) -> list[Buckets]:
        parts = [self._finer[name][1]] if name in self._finer else []
        return [*parts, data.curves[name]] if name in data.curves else parts

    def take_finer(self, wanted: Range, series: Series) -> None:
        """Keep points that were asked for with ``wanted``."""
        fresh = Buckets(POINTS + 2, series.bucket)
        points = zip(series.steps, series.values, series.minimum, series.maximum, strict=True)
        for step, value, low, high in points:
            if value is not None:
                fresh.add(step, value, low, high)
        self._finer[wanted.name] = wanted, fresh

    def wanted(
        self, data: RunData, names: Iterable[str], across: Across, seen: Limits, dots: int
    ) -> list[Range]:
        """What to fetch so that each column of dots has its own points."""
        first, last = max(0, int(across.step(seen.low))), int(across.step(seen.high)) + 1
        found = []
        for name in names:
            known = data.curves.get(name)
            if known is None or known.width == 1 or (last - first) / known.width >= 2 * dots:
                continue
            held = self._finer.get(name)
            if held and held[0].first <= first and last <= held[0].last and (
                held[1].width == 1 or (last - first) / held[1].width >= 2 * dots
            ):  # fmt: skip
                continue
            # A window on each side, so that a small move needs no new request.
            margin = last - first
            found.append(Range(name, max(0, first - margin), last + margin))
        return found


def expected(run: Run, kind: Kind) -> float | None:
    """How far the run will reach across, or how far it came when it has ended; None: unknown."""
    progress = run.progress
    steps = progress.step if run.state.finished else progress.total
    if kind == "time" or not steps:
        return None
    if kind == "step":
        return float(steps)
    return progress.epoch * steps / progress.step if progress.step and progress.epoch else None


def places(client: Client, run_id: str) -> list[StoredEvent]:
    """Metrics events from all over a run, which tell when and in which epoch its steps were.

    How many events there are is not known: far jumps find the end, then even ones fill it in.
    """
    found: dict[int, StoredEvent] = {}

    def look(after: int) -> bool:
        events = client.events(run_id, after=after, limit=1, kinds=["metrics"])
        found.update({event.number: event for event in events})
        return bool(events)

    end = 1
    while look(end - 1):
        end *= 2
    last = max(found, default=0)
    for part in range(1, _PLACES):
        look(last * part // _PLACES)
    return [found[number] for number in sorted(found)]
