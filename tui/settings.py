"""What a person may choose about the terminal UI: ``interface.yaml`` in the home."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError

from . import themes


class InterfaceSettings(BaseModel):
    """Every choice has a default, so the file may be empty or absent."""

    model_config = ConfigDict(extra="forbid")

    theme: str = Field(
        default=themes.DEFAULT,
        title="Theme",
        description="Colours. ansi-dark and ansi-light use the terminal's own sixteen.",
        json_schema_extra={"choices": [*themes.names()]},
    )
    glyphs: Literal["auto", "unicode", "ascii"] = Field(
        default="auto",
        title="Characters",
        description="ASCII for terminals and fonts that lack lines, blocks and braille dots.",
    )
    keys: str = Field(
        default="",
        title="Key profile",
        description="YAML file that maps a key's id to other keys, such as runs.stop: k. "
        "A relative path starts in the home. Help shows the ids.",
    )
    units: Literal["binary", "decimal"] = Field(
        default="binary",
        title="Units of memory",
        description="binary: 1 GiB is 1024 MiB. decimal: 1 GB is 1000 MB.",
    )
    offline: bool = Field(
        default=False,
        title="Offline",
        description="New runs and chats use only what is on this machine; no model or dataset is "
        "looked up or loaded over the network.",
    )
    mouse: bool = Field(
        default=True,
        title="Mouse",
        description="Off: the terminal selects text itself, and a slow connection carries less. "
        "Counts from the next start.",
    )

    @field_validator("theme")
    @classmethod
    def _theme_is_known(cls, value: str) -> str:
        if value not in themes.names():
            raise ValueError(f"there is no theme {value}.{nearest(value, themes.names())}")
        return value

    def size(self, count: float | None) -> str:
        """Bytes in the chosen units; an empty text when the number is not known."""
        if count is None:
            return ""
        base, units = (
            (1024.0, ("B", "KiB", "MiB", "GiB", "TiB"))
            if self.units == "binary"
            else (1000.0, ("B", "kB", "MB", "GB", "TB"))
        )
        place = 0
        while count >= base and place < len(units) - 1:
            count, place = count / base, place + 1
        figures = 0 if place == 0 or count >= 100 else 1
        return f"{count:.{figures}f} {units[place]}"

    def keys_path(self, home: Home) -> Path | None:
        """The key profile's file, when one is chosen."""
        return home.path / Path(self.keys).expanduser() if self.keys else None


def path_of(home: Home) -> Path:
    """The file of the settings."""
    return home.path / "interface.yaml"


def load(path: Path) -> InterfaceSettings:
    """The settings of that file, the defaults where there is none.

    Raises:
        LuthierError: the file cannot be read, is not YAML, or a key is wrong; names file and key.
    """
    values = read_mapping(path)
    try:
        return InterfaceSettings.model_validate(values)
    except ValidationError as error:
        raise LuthierError(f"{path}: {complaint(error)}") from error


def save(path: Path, settings: InterfaceSettings) -> None:
    """Write what differs from the defaults, in place of the old file.

    Raises:
        LuthierError: the file cannot be written.
    """
    text = yaml.safe_dump(settings.model_dump(exclude_defaults=True), sort_keys=False)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise LuthierError(f"{path}: cannot be written: {error.strerror or error}.") from error


def complaint(error: ValidationError) -> str:
    """The first mistake in one sentence, with the nearest known key."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such key.{nearest(key, list(InterfaceSettings.model_fields))}"
    said = first["msg"].removeprefix("Value error, ")
    return f"{key}: {said[:1].lower()}{said[1:]}{'' if said[-1] in '.?' else '.'}"


def nearest(key: str, known: Sequence[str]) -> str:
    """`` Did you mean this?`` for the known key that is most like ``key``."""
    near = get_close_matches(key, known, n=1)
    return f" Did you mean {near[0]}?" if near else f" Known are {', '.join(known)}."


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML file with keys and values; an absent one is empty.

    Raises:
        LuthierError: it cannot be read, or is something else.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LuthierError(f"{path}: cannot be read: {reason}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise LuthierError(f"{path}:{where} not valid YAML: {problem}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise LuthierError(f"{path}: must have lines of the form 'key: value'.")
    return {str(key): value for key, value in values.items()}
