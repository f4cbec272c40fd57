"""The agent's settings: ``settings.yaml`` in its home, every key optional."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from luthier.trainers.errors import LuthierError


class Settings(BaseModel):
    """What a person may choose about the agent."""

    model_config = ConfigDict(extra="forbid")

    cpu_slots: int = Field(default=1, ge=1, description="Runs that may use the CPU at once.")
    hardware_interval: float = Field(
        default=2.0, gt=0, description="Seconds between hardware samples while runs are active."
    )
    chat_idle_seconds: float = Field(
        default=900, gt=0, description="A chat that nobody uses gives its memory back after this."
    )
    tcp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Loopback port of the OpenAI API, which then needs the token; 0 picks one.",
    )
    worker_command: list[str] = Field(
        default=[],
        description="Command that runs a worker, such as another Python with its arguments; "
        "RUN_FOLDER and ATTEMPT are appended. Empty: this Python with luthier.trainers.launch.",
    )
    offline: bool = Field(default=False, description="No process of the agent opens a connection.")
    price_per_hour: float | None = Field(
        default=None, ge=0, description="What an hour of one of this machine's devices costs."
    )
    currency: str = Field(default="USD", min_length=1, description="Of that price.")


def load_settings(path: Path) -> Settings:
    """The settings of that file, the defaults where there is none.

    Raises:
        LuthierError: the file is not YAML or a key is wrong; names the file and key.
    """
    if not path.exists():
        return Settings()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except UnicodeDecodeError as error:
        raise LuthierError(f"{path}: not UTF-8 text; save it anew as such.") from error
    except yaml.YAMLError as error:
        mark, what = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise LuthierError(f"{where}: not valid YAML: {what or error}.") from error
    if not isinstance(values, dict):
        raise LuthierError(f"{path}: must have lines of the form key: value, such as cpu_slots: 2.")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        near = get_close_matches(key, Settings.model_fields, n=1)
        hint = f"Did you mean {near[0]}?" if near and first["type"] == "extra_forbidden" else ""
        raise LuthierError(f"{path}: {key}: {first['msg']}.", hint=hint) from error
