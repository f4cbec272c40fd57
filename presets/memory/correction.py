"""What finished runs on a device say about the estimate: a factor, and how sure it is.

The logarithm of measured by estimated is taken as normal, with unknown mean (what the estimate
misses on this device) and unknown variance (how far runs scatter about it). With the conjugate
normal-inverse-gamma prior the next run's logarithm follows Student's t: Gelman et al., Bayesian
Data Analysis, third edition, section 3.3. The prior is worth a fifth of a run for the mean and
eight degrees of freedom of 3% scatter for the variance, so that a single run already moves the
estimate and no handful of equal runs makes it certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

_PRIOR_RUNS = 0.2
_PRIOR_SHAPE = 4.0
_PRIOR_SCATTER = 0.03
_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Measurement:
    """One finished run: its estimate before corrections and its measured peak, both in bytes."""

    estimated: int
    measured: int


@dataclass(frozen=True, slots=True)
class Correction:
    """Multiply an estimate by ``factor``; the truth then lies within ``low`` … ``high`` of it.

    Attributes:
        factor: of the total.
        low: lower end of the 95% interval as a share of the corrected total, such as 0.96.
        high: its upper end, such as 1.04.
        runs: how many finished runs it was learned from.
        device: whose runs they were, for the sentence.
    """

    factor: float
    low: float
    high: float
    runs: int
    device: str = "this device"

    @classmethod
    def learn(
        cls, measurements: Sequence[Measurement], device: str = "this device"
    ) -> Correction | None:
        """The correction that these runs teach; None when there are none.

        Runs whose figures are not positive are passed over: nothing was measured in them.
        """
        ratios = [
            math.log(one.measured / one.estimated)
            for one in measurements
            if one.measured > 0 and one.estimated > 0
        ]
        if not ratios:
            return None
        runs, mean = len(ratios), fmean(ratios)
        weight = _PRIOR_RUNS + runs
        centre = runs * mean / weight
        shape = _PRIOR_SHAPE + runs / 2
        scatter = sum((ratio - mean) ** 2 for ratio in ratios) / 2
        scatter += _PRIOR_SHAPE * _PRIOR_SCATTER**2 + _PRIOR_RUNS * runs * mean**2 / (2 * weight)
        spread = math.sqrt(scatter / shape * (1 + 1 / weight))
        reach = spread * student_quantile((1 + _SHARE) / 2, 2 * shape)
        return cls(math.exp(centre), math.exp(-reach), math.exp(reach), runs, device)

    @property
    def basis(self) -> str:
        """The source in words."""
        noun = "run" if self.runs == 1 else "runs"
        spread = max(self.high - 1, 1 - self.low)
        return f"from {self.runs} {noun} on {self.device}, ±{100 * spread:.0f}%"


def student_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t, to 0.1% for eight degrees of freedom and more.

    Abramowitz and Stegun, Handbook of Mathematical Functions, formula 26.7.5.
    """
    x = NormalDist().inv_cdf(probability)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / degrees**power for power, term in enumerate(terms, start=1))
