"""How the far end comes to a host: its source is sent over the channel, nothing is installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from .errors import HostError

_AGENT = Path(__file__).parent.parent
_MODULES = ("wire", "attempts", "caches", "files", "machine", "main")
_PACKAGE = "luthier.agent.hosts.far"
_PYTHONS = tuple(f"python3.{minor}" for minor in range(14, 9, -1))
NO_PYTHON = b"luthier-no-python"
_LOADER = """\
import json, sys, types
for name, text in json.loads({sources!r}):
    module = types.ModuleType(name)
    module.__file__ = name
    module.__package__ = name if text is None else name.rpartition(".")[0]
    sys.modules[name] = module
    if text is None:
        module.__path__ = []
    else:
        exec(compile(text, name, "exec"), module.__dict__)
sys.modules[{main!r}].main()
"""


@cache
def payload() -> bytes:
    """What the far end's Python reads first: how many bytes follow, and the program."""
    packages = ["luthier", "luthier.agent", "luthier.agent.hosts", _PACKAGE]
    sources: list[tuple[str, str | None]] = [(name, None) for name in packages]
    sources.append(("luthier.agent.supervisor", supervisor_source()))
    for name in _MODULES:
        text = Path(__file__).with_name("far").joinpath(f"{name}.py").read_text(encoding="utf-8")
        sources.append((f"{_PACKAGE}.{name}", text))
    program = _LOADER.format(sources=json.dumps(sources), main=f"{_PACKAGE}.main").encode()
    return b"%d\n%s" % (len(program), program)


def supervisor_source() -> str:
    """The supervisor's one file."""
    return (_AGENT / "supervisor.py").read_text(encoding="utf-8")


def command_line(pythons: Sequence[str] = ()) -> str:
    """The line that a login shell of any kind carries out: the first fitting Python, by sh.

    Args:
        pythons: those to try before the ones on the search path; ``~/`` may begin them.

    Raises:
        HostError: a path holds a character that shells would take apart.
    """
    candidates = [_quoted(each) for each in (*pythons, *_PYTHONS, "python3")]
    # Within single quotes bash, zsh, fish and csh agree, so none may be inside.
    script = (
        f"for p in {' '.join(candidates)}; do "
        'if "$p" -I -S -c "import sys; sys.exit(sys.version_info < (3, 8))" 2>/dev/null; then '
        'exec "$p" -I -S -c "import sys; r = sys.stdin.buffer; exec(r.read(int(r.readline())))"; '
        f"fi; done; echo {NO_PYTHON.decode()}; exit 127"
    )
    return f"/bin/sh -c '{script}'"


def _quoted(path: str) -> str:
    if any(letter in path for letter in "'\"\\$`!\n"):
        raise HostError(f"{path!r}: the path has a character that cannot be used there.")
    if path.startswith("~/"):
        return f'"$HOME/{path[2:]}"'
    return f'"{path}"'
