"""Checks of the installation: each says how it stands and what to do when it is not well."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from luthier import __version__
from luthier.trainers.errors import LuthierError

from .. import text
from ..errors import UnavailableError
from .invocation import Invocation

Level = Literal["green", "yellow", "red"]
_OLDEST_PYTHON = (3, 10)
_LITTLE_DISK = 5 << 30
_NO_DISK = 200 << 20
_TRAIN_REQUIREMENT = re.compile(
    r"""(?P<name>[\w.-]+)\s*>=\s*(?P<oldest>[\d.]+).*extra == ["']train["']"""
)


@dataclass(frozen=True)
class Check:
    """One line of the report. ``remedy`` says what to do unless all is well."""

    name: str
    level: Level
    found: str
    remedy: str = ""


def run_checks(here: Invocation) -> list[Check]:
    """Every check, in the order in which one mends things."""
    checks: list[Check] = [_python()]
    checks += _home(here)
    checks.append(_socket(here))
    checks += _agent(here)
    checks += _training_packages()
    checks += [_offline(), _terminal(here)]
    return checks


def _python() -> Check:
    found = f"{sys.version.split()[0]} in {sys.prefix}"
    if sys.version_info < _OLDEST_PYTHON:
        return Check("python", "red", found, "Install Luthier with Python 3.10 or newer.")
    return Check("python", "green", found)


def _home(here: Invocation) -> Iterator[Check]:
    folder = here.home.path
    try:
        here.home.create()
    except OSError as error:
        remedy = "Choose another folder with --home or LUTHIER_HOME, or mend its permissions."
        yield Check("home", "red", f"{folder}: {error.strerror}", remedy)
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Check("home", "red", f"{folder} is not writable", f"Try: chmod u+rwx {folder}")
        return
    yield Check("home", "green", str(folder))
    free = shutil.disk_usage(folder).free
    found = f"{text.size(free)} free"
    if free < _NO_DISK:
        yield Check("disk", "red", found, "Free some space: luthier runs, luthier remove RUN")
    elif free < _LITTLE_DISK:
        yield Check("disk", "yellow", found, "Checkpoints may fill it; remove old runs.")
    else:
        yield Check("disk", "green", found)


def _socket(here: Invocation) -> Check:
    path = here.home.socket
    if len(os.fsencode(path)) > 107:
        remedy = "Set XDG_RUNTIME_DIR to a short path, or choose a shorter LUTHIER_HOME."
        return Check("socket", "red", f"{path} is too long for a socket", remedy)
    if path.exists() and path.stat().st_uid != os.getuid():
        return Check("socket", "red", f"{path} belongs to somebody else", f"Remove {path}.")
    return Check("socket", "green", str(path))


def _agent(here: Invocation) -> Iterator[Check]:
    try:
        status = here.client.status()
        report = here.client.hardware()
    except UnavailableError as error:
        yield Check("agent", "red", error.message, error.hint or f"See {here.home.log}.")
        return
    except LuthierError as error:
        yield Check("agent", "red", error.message, "Restart it: luthier agent stop")
        return
    found = f"version {status.version}, pid {status.pid}"
    if status.version != __version__:
        remedy = f"This command is {__version__}; restart the agent: luthier agent stop"
        yield Check("agent", "yellow", found, remedy)
    else:
        yield Check("agent", "green", found)
    for problem in status.problems:
        yield Check("agent", "red", problem, "See: luthier agent logs")
    devices = [device for device in report.devices if device.kind != "cpu"]
    unready = [device.id for device in devices if not device.ready]
    listed = ", ".join(f"{device.id} {device.name}" for device in devices)
    if unready:
        yield Check("devices", "yellow", listed, f"Not ready: {', '.join(unready)}.")
    else:
        yield Check("devices", "green", listed or "no accelerator; runs use the CPU")
    for problem in report.problems:
        yield Check("devices", "yellow", problem, "Runs go on without it; see the driver's state.")


def _training_packages() -> Iterator[Check]:
    """What the ``train`` extra asks for against what is installed; nothing is imported."""
    remedy = "Install what training needs: pip install 'luthier[train]'"
    for line in metadata.requires("luthier") or []:
        needed = _TRAIN_REQUIREMENT.match(line)
        if needed is None:
            continue
        name, oldest = needed["name"], needed["oldest"]
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Check(name, "red", "not installed", remedy)
            continue
        if _release(version) < _release(oldest):
            yield Check(name, "red", f"{version}, needed is {oldest} or newer", remedy)
        else:
            yield Check(name, "green", version)


def _release(version: str) -> tuple[int, ...]:
    """The numbers before any suffix: 2.13.0+cpu is (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[^\d.]", version)[0]))


def _offline() -> Check:
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
    on = [name for name in names if os.environ.get(name, "").lower() in ("1", "true", "yes", "on")]
    if on:
        return Check("offline", "green", f"yes ({', '.join(on)}): only local models and data work")
    return Check("offline", "green", "no: models and data may come from the hub")


def _terminal(here: Invocation) -> Check:
    console = here.console
    encoding = console.encoding
    colours = console.color_system or "none"
    found = f"{console.width} columns, encoding {encoding}, colours {colours}"
    if not here.unicode:
        remedy = "Set LANG to a UTF-8 locale such as C.UTF-8 for finer charts; ASCII works too."
        return Check("terminal", "yellow", found, remedy)
    return Check("terminal", "green", found)
