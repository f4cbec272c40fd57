"""The caches of the hub's libraries, on this host or any other: where they are, and what is added.

A cache of ours lies over the account's own one: it has links to everything there, and what was
sent besides.
"""

from __future__ import annotations

import contextlib
import os
import threading

from .wire import Frame

HUB = "hub"
DATASETS = "datasets"


def own_caches() -> dict[str, str]:
    """The account's own caches, as huggingface_hub and datasets find them."""
    found = os.environ.get
    above = found("XDG_CACHE_HOME") or "~/.cache"
    home = found("HF_HOME") or os.path.join(above, "huggingface")
    hub = found("HF_HUB_CACHE") or found("HUGGINGFACE_HUB_CACHE") or os.path.join(home, HUB)
    datasets = found("HF_DATASETS_CACHE") or os.path.join(home, DATASETS)
    return {HUB: _absolute(hub), DATASETS: _absolute(datasets)}


def caches(request: Frame) -> Frame:
    """Where the account's own caches are."""
    return {"caches": own_caches()}


def overlay(request: Frame) -> Frame:
    """Bring a cache of ours up to date.

    ``links`` are [path within the cache, what it leads to], ``refs`` are [path, commit]; what the
    account's own cache has besides is linked to.
    """
    folder, own = request["folder"], own_caches()[request["cache"]]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for path, target in request["links"]:
        _link(target, _place(folder, path))
    for path, commit in request["refs"]:
        _replace(_place(folder, path), commit)
    for name in os.listdir(own) if os.path.isdir(own) else ():
        if not name.startswith("."):
            with contextlib.suppress(FileExistsError):
                os.symlink(os.path.join(own, name), os.path.join(folder, name))
    return {}


def _place(folder: str, path: str) -> str:
    """The path within the cache, whose folder is then there and ours."""
    top, _, below = path.partition("/")
    entry = os.path.join(folder, top)
    if below and os.path.islink(entry):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(entry)
    place = os.path.join(folder, path)
    os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
    return place


def _link(target: str, place: str) -> None:
    temporary = f"{place}.{os.getpid()}.{threading.get_ident()}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.replace(temporary, place)


def _replace(place: str, text: str) -> None:
    temporary = f"{place}.{os.getpid()}.{threading.get_ident()}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, place)


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(os.path.expandvars(path)))
