"""How much memory a run takes and how long, said before it runs. Arithmetic only, no torch."""

from .correction import Correction, Measurement
from .duration import Duration, Price, estimate_duration, guess_step_seconds
from .estimate import estimate, quick_estimate
from .reading import find_model, model_shape, read_shape
from .result import GIB, Estimate, Part, Source
from .shape import Linear, ModelShape
from .workload import DeviceFacts, Lengths, Workload

__all__ = [
    "GIB",
    "Correction",
    "DeviceFacts",
    "Duration",
    "Estimate",
    "Lengths",
    "Linear",
    "Measurement",
    "ModelShape",
    "Part",
    "Price",
    "Source",
    "Workload",
    "estimate",
    "estimate_duration",
    "find_model",
    "guess_step_seconds",
    "model_shape",
    "quick_estimate",
    "read_shape",
]
