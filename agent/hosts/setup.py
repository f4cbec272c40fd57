"""Giving a host a Python that can train: a virtual environment of ours, or one that is there."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from .channel import Channel
from .errors import HostError
from .preflight import ask_python
from .shipping import Progress
from .ssh_host import SshHost
from .transfer import send_file

Say = Callable[[str], None]
_OLDEST = (3, 10)
_PYTHONS = (*(f"python3.{minor}" for minor in (12, 13, 11, 10, 14)), "python3")
# A name on the search path need not be a Python that runs: pyenv leaves names of all its versions.
_TRY_PYTHONS = """\
modules=$1; shift
for python in "$@"; do
    "$python" -c "import sys, $modules
assert sys.version_info >= (3, 10)
print(sys.executable)" 2>/dev/null && exit 0
done
exit 1
"""
_BASE = ("pydantic", "PyYAML", "psutil")
# A pip that is asked for a wheel which is not there must not look elsewhere.
_NO_INDEX = ("--no-index", "--find-links")


def use_python(host: SshHost, python: str) -> str:
    """See that a named Python there can be used; its absolute path.

    Raises:
        HostUnreachableError: the link was lost.
        HostError: it is none, or too old.
    """
    if not python.startswith(("/", "~/")):
        raise HostError(
            f"{python!r} is no absolute path.", hint="Name the Python as /path/to/bin/python."
        )
    if python.startswith("~/"):
        python = f"{host.link.ready().hello['home']}/{python[2:]}"
    answer = ask_python(host, python, "quick")
    if isinstance(answer, str):
        raise HostError(
            f"{host.name}: {python} cannot be used: {answer}.", hint="Is the path right?"
        )
    version = ".".join(map(str, answer["version"]))
    if tuple(answer["version"]) < _OLDEST:
        raise HostError(
            f"{host.name}: {python} is Python {version}; training needs 3.10 or newer.",
            hint=f"Let a newer one be found: luthier host setup {host.name}",
        )
    return python


def make_environment(host: SshHost, wheels: Path | None, say: Say) -> str:
    """Make a virtual environment with the training packages; the Python of it.

    Args:
        host: which.
        wheels: folder of wheels here for a host without a way out; silent: it downloads.
        say: told every line of what goes on.

    Raises:
        HostError: a step failed, with the last thing that it said.
    """
    root = str(host.link.ready().hello["folder"])
    folder = f"{root}/venv"
    python = f"{folder}/bin/python"
    source = [] if wheels is None else [*_NO_INDEX, _send_wheels(host, root, wheels, say)]
    packages = requirements()
    # Whoever interrupts the command and calls it again finds the first one at work.
    alone = host.link.turns.of(folder, lambda: say("Another set-up is under way; waiting for it."))
    with alone, host.link.courier() as channel:
        uv = _find(channel, "uv") or _find(
            channel, f"{host.link.ready().hello['home']}/.local/bin/uv"
        )
        if uv:
            _run(channel, [uv, "venv", "--allow-existing", "--python", ">=3.10", folder], say)
            _run(channel, [uv, "pip", "install", "--python", python, *source, *packages], say)
        else:
            _run(channel, [_base_python(host.name, channel), "-m", "venv", folder], say)
            pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
            _run(channel, [*pip, *source, *packages], say)
    return python


def requirements() -> list[str]:
    """What a Python needs to train, as pip takes it."""
    found = []
    for line in metadata.requires("luthier") or []:
        requirement, _, marker = line.partition(";")
        requirement = requirement.strip()
        light = not marker and requirement.startswith(_BASE)
        if light or 'extra == "train"' in marker.replace("'", '"'):
            found.append(requirement)
    return found


def _send_wheels(host: SshHost, root: str, wheels: Path, say: Say) -> str:
    found = sorted(wheels.glob("*.whl"))
    if not found:
        raise HostError(
            f"{wheels}: there are no wheels in it.",
            hint="Fill it on a machine like the host with: "
            f"pip wheel -w {wheels} {shlex.join(requirements())}",
        )
    progress = Progress("sending wheels", sum(path.stat().st_size for path in found), say)
    for path in found:
        content = host.hashes.content(path, path.name)
        send_file(host.link, content, f"{root}/wheels/{path.name}", progress.moved)
    return f"{root}/wheels"


def _find(channel: Channel, program: str) -> str | None:
    """Where a program is there."""
    return _first_line(channel, 'command -v "$1"', program)


def _base_python(name: str, channel: Channel) -> str:
    """A Python there that can make environments. Raises HostError where there is none."""
    if found := _first_line(channel, _TRY_PYTHONS, "venv, ensurepip", *_PYTHONS):
        return found
    if found := _first_line(channel, _TRY_PYTHONS, "sys", *_PYTHONS):
        raise HostError(
            f"{name}: {found} cannot make environments, as its venv module is missing.",
            hint="Install it (apt install python3-venv), or uv (one file), or name another "
            f"Python: luthier host setup {name} --python PATH",
        )
    raise HostError(
        f"{name} has no Python 3.10 or newer.",
        hint="Install one there, or uv (one file, which brings its own Pythons).",
    )


def _first_line(channel: Channel, script: str, *arguments: str) -> str | None:
    """The first line that a shell script prints there; None when it fails."""
    frames = _frames(channel, ["/bin/sh", "-c", script, "sh", *arguments])
    lines = [str(frame["line"]) for frame in frames[:-1]]
    return lines[0] if frames[-1]["code"] == 0 and lines else None


def _frames(channel: Channel, argv: list[str]) -> list[dict[str, Any]]:
    channel.send("run", argv=argv)
    found = []
    while True:
        frame, _ = channel.receive()
        found.append(frame)
        if not frame.get("more"):
            return found


def _run(channel: Channel, argv: list[str], say: Say) -> None:
    say("$ " + " ".join(argv))
    channel.send("run", argv=argv)
    last = ""
    while True:
        frame, _ = channel.receive()
        if not frame.get("more"):
            break
        if line := str(frame["line"]).rstrip():
            last = line
            say(line)
    if frame["code"] != 0:
        raise HostError(f"{argv[0]} ended with code {frame['code']}: {last or 'it said nothing'}.")
