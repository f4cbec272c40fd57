"""The client's part about presets."""

from __future__ import annotations

from urllib.parse import quote

from .connection import Connection
from .models import Preset, PresetProblems, PresetText


class PresetClient:
    """Requests about presets, one's own among them; they raise as those of Client do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, task: str | None = None) -> list[Preset]:
        """The presets of one task, or of all."""
        return self._connection.get_all("/v1/presets", Preset, {"task": task})

    def get(self, name: str) -> Preset:
        """One preset by its name, such as llm-sft/balanced."""
        return self._connection.get(_path(name), Preset)

    def text(self, name: str) -> str:
        """A preset as YAML; of one's own the very file."""
        return self._connection.get(f"{_path(name)}/text", PresetText).text

    def problems(self) -> PresetProblems:
        """What is wrong with one's own presets."""
        return self._connection.get("/v1/presets/problems", PresetProblems)

    def copy(self, name: str, new: str) -> Preset:
        """Make a preset of one's own; ``new`` is TASK/NAME, or NAME for the same task."""
        return self._connection.send("POST", f"{_path(name)}/copy", Preset, {"name": new})

    def write(self, name: str, text: str) -> Preset:
        """Keep YAML text as a preset of one's own."""
        return self._connection.send("PUT", _path(name), Preset, {"text": text})

    def remove(self, name: str) -> None:
        """Delete a preset of one's own."""
        self._connection.request("DELETE", _path(name))


def _path(name: str) -> str:
    task, _, kind = name.partition("/")
    return f"/v1/presets/{quote(task, safe='')}/{quote(kind, safe='+')}"
