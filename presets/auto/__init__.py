"""Auto: the fastest settings that fit a device, without changing what is learnt."""

from .adapt import installed_tools
from .alternatives import Alternative, alternatives
from .explain import Step
from .nearest import Host, KnownModel, Suggestion, nearest
from .problem import Tools
from .solution import Solution, solve

__all__ = [
    "Alternative",
    "Host",
    "KnownModel",
    "Solution",
    "Step",
    "Suggestion",
    "Tools",
    "alternatives",
    "installed_tools",
    "nearest",
    "solve",
]
