"""The preset library: named parts of a spec and when each is right."""

from .library import Library, Preset, find_preset, presets

__all__ = ["Library", "Preset", "find_preset", "presets"]
