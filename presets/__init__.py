"""The preset library: named parts of a spec and when each is right."""

from .library import Preset, find_preset, presets

__all__ = ["Preset", "find_preset", "presets"]
