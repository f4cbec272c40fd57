"""The user's own functions, named ``file.py:name``. They run only because a spec names them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from .problems import data_error
from .table import Row

RowFunction = Callable[[Row], Any]


def function_file(reference: str, key: str) -> Path:
    """The file of a reference ``file.py:name``.

    Args:
        reference: the file, absolute or from the current folder, and the function's name.
        key: the spec key that names it, for error texts.

    Raises:
        DataError: there is no such file.
    """
    path = Path(reference.rpartition(":")[0]).expanduser()
    if not path.is_file():
        raise data_error(f"{key}: there is no such file; it is looked up from {Path.cwd()}", path)
    return path.resolve()


def load_function(reference: str, key: str) -> RowFunction:
    """Run the file and return the function. Arguments and errors as for function_file.

    Raises:
        DataError: the file fails when run, or has no such function.
    """
    path = function_file(reference, key)
    name = reference.rpartition(":")[2]
    try:
        module = _run(path, path.stat().st_mtime_ns)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise data_error(
            f"{key}: running it raised {type(error).__name__}: {error}", path
        ) from error
    found = getattr(module, name, None)
    if callable(found):
        function: RowFunction = found
        return function
    near = get_close_matches(name, [word for word in vars(module) if word[0] != "_"], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise data_error(f"{key}: it has no function {name!r}{hint}", path)


@lru_cache(maxsize=16)
def _run(path: Path, _changed: int) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"luthier_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
