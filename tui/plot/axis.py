"""Axes: round limits that stay put while they fit, and round marks on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOG_ROUND = (1.0, 2.0, 5.0, 10.0)
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_LEAST, _MOST = 1e-300, 1e300


@dataclass(frozen=True)
class Limits:
    """The range an axis shows."""

    low: float
    high: float

    def position(self, value: float, *, log: bool = False) -> float:
        """Where ``value`` lies: 0 at ``low``, 1 at ``high``."""
        low, high = self.low, self.high
        if log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, _LEAST))
        return (value - low) / (high - low)


def round_step(span: float, count: int) -> float:
    """The round distance (1, 2, 2.5 or 5 times a power of ten) that cuts ``span`` into at most
    ``count`` parts."""
    if span <= 0 or count < 1:
        return 1.0
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in _ROUND if power * factor >= raw * (1 - 1e-9))


def limits_for(
    low: float, high: float, held: Limits | None, *, log: bool = False, count: int = 5
) -> Limits:
    """Round limits around the data.

    Limits in use are kept while the data fits and fills at least a third of them, because new
    limits repaint the whole chart.
    """
    # Beyond it, ranges are more than a float holds.
    low, high = (max(-_MOST, min(value, _MOST)) for value in (low, high))
    if held and held.low <= low and high <= held.high:
        used = held.position(high, log=log) - held.position(low, log=log)
        if used >= 1 / 3:
            return held
    if log:
        floor, ceiling = _round_below(max(low, _LEAST)), _round_above(max(high, _LEAST))
        return Limits(floor, ceiling) if ceiling > floor else Limits(floor / 2, ceiling * 2)
    if high - low < 1e-12 * max(1.0, abs(high)):
        margin = abs(high) * 0.1 or 1.0
        low, high = low - margin, high + margin
    step = round_step(high - low, count)
    return Limits(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step)


def marks(limits: Limits, count: int, *, log: bool = False) -> list[float]:
    """Round values inside the limits, at most about ``count`` of them."""
    if log:
        return _log_marks(limits, count)
    step = round_step(limits.high - limits.low, count)
    begin = math.ceil(limits.low / step - 1e-9)
    end = math.floor(limits.high / step + 1e-9)
    return [number * step for number in range(begin, end + 1)]


def label(value: float) -> str:
    """A short text for an axis mark, at most seven characters."""
    size = abs(value)
    if size == 0:
        return "0"
    if 1e4 <= size < 1e15:
        limit, unit = next((limit, unit) for limit, unit in _UNITS if size >= limit * 0.99995)
        return f"{value / limit:.4g}{unit}"
    plain = [f"{value:.4g}", f"{value:.3g}"] if 1e-3 <= size < 1e4 else []
    return next(
        text for text in (*plain, *(_scientific(value, n) for n in (2, 1, 0))) if len(text) <= 7
    )


def _scientific(value: float, figures: int) -> str:
    mantissa, _, exponent = f"{value:.{figures}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.') if figures else mantissa}e{int(exponent)}"


def _log_marks(limits: Limits, count: int) -> list[float]:
    first = math.floor(math.log10(limits.low) + 1e-9)
    last = math.ceil(math.log10(limits.high) - 1e-9)
    decades = [10.0**power for power in range(first, last + 1)]
    found = [power * factor for power in decades for factor in _LOG_ROUND[:3]]
    found = [value for value in found if limits.low * 0.999 <= value <= limits.high * 1.001]
    if len(found) > count:
        stride = max(1, math.ceil((last - first) / max(1, count)))
        found = [v for v in decades[::stride] if limits.low * 0.999 <= v <= limits.high * 1.001]
    return found


def _round_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(power * factor for factor in _LOG_ROUND if power * factor <= value * (1 + 1e-9))


def _round_above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(power * factor for factor in _LOG_ROUND if power * factor >= value * (1 - 1e-9))
