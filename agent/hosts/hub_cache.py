"""What a run needs of the hub and is in the cache here, for hosts that have no way to the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.trainers.spec import RunSpec

from .far.caches import DATASETS, HUB, own_caches
from .far.wire import Frame

_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
_MAIN = "main"


@dataclass(frozen=True)
class Cached:
    """A model or dataset of the cache here.

    Attributes:
        name: how the hub calls it.
        cache: which cache it is in, ``hub`` or ``datasets``.
        entry: its path within that cache.
        path: its folder here.
        refs: branches and tags that stand for it: path within the cache, commit.
    """

    name: str
    cache: str
    entry: str
    path: Path
    refs: tuple[tuple[str, str], ...] = ()


class HubCache:
    """The caches of this machine."""

    def __init__(self) -> None:
        found = own_caches()
        self._hub, self._datasets = Path(found[HUB]), Path(found[DATASETS])

    def of_spec(self, spec: RunSpec) -> list[Cached]:
        """What a spec names and is in the cache, with what adapters build upon. Raises OSError."""
        sections = spec.model_dump(mode="json", exclude={"name", "output", "launch"})
        revisions = {value for key, value in _leaves(sections) if key.endswith("revision")}
        names = dict.fromkeys(value for _, value in _leaves(sections))
        found: dict[str, Cached] = {}
        for name in names:
            if name.startswith("/"):
                self._add(found, _base_of(Path(name)), revisions)
            else:
                self._add(found, name, revisions)
        return list(found.values())

    def of_name(self, name: str) -> list[Cached]:
        """A model or dataset that is in the cache, with what it builds upon. Raises OSError."""
        found: dict[str, Cached] = {}
        self._add(found, name, ())
        return list(found.values())

    def _add(self, found: dict[str, Cached], name: str, revisions: Iterable[str]) -> None:
        if not _ID.fullmatch(name):
            return
        for each in self._find(name, revisions):
            if each.entry not in found:
                found[each.entry] = each
                self._add(found, _base_of(each.path), revisions)

    def _find(self, name: str, revisions: Iterable[str]) -> Iterator[Cached]:
        repository = f"models--{name.replace('/', '--')}"
        for revision in (_MAIN, *revisions):
            if not revision or ".." in revision:
                continue
            ref = self._hub / repository / "refs" / revision
            commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision
            path = self._hub / repository / "snapshots" / commit
            if path.is_dir():
                refs = ((f"{repository}/refs/{revision}", commit),) if ref.is_file() else ()
                entry = f"{repository}/snapshots/{commit}"
                yield Cached(name, HUB, entry, path, refs)
        owner, _, rest = name.rpartition("/")
        prepared = f"{owner}___{_snake(rest)}"
        if owner and (self._datasets / prepared).is_dir():
            yield Cached(name, DATASETS, prepared, self._datasets / prepared)


def overlay(
    cached: Iterable[Cached],
    root: str,
    ask: Callable[..., Frame],
    ship: Callable[[Cached], str],
) -> dict[str, str]:
    """Lay caches of ours over those of the host, which has no way to the hub.

    Args:
        cached: what must be in them; sent unless the host's own cache has it.
        root: where everything of ours lies there.
        ask: asks the host's far end.
        ship: sends a folder; where it then is there.

    Returns:
        the environment that makes a worker use them.

    Raises:
        HostUnreachableError, HostError: it did not work.
    """
    own = ask("caches")["caches"]
    links: dict[str, list[list[str]]] = {HUB: [], DATASETS: []}
    refs: dict[str, list[list[str]]] = {HUB: [], DATASETS: []}
    for each in cached:
        there = f"{own[each.cache]}/{each.entry}"
        target = there if _has(ask, there, each.path) else ship(each)
        links[each.cache].append([each.entry, target])
        refs[each.cache] += [list(ref) for ref in each.refs]
    for cache in (HUB, DATASETS):
        ask("overlay", folder=f"{root}/{cache}", cache=cache, links=links[cache], refs=refs[cache])
    return {"HF_HUB_CACHE": f"{root}/{HUB}", "HF_DATASETS_CACHE": f"{root}/{DATASETS}"}


def _has(ask: Callable[..., Frame], folder: str, here: Path) -> bool:
    """Whether a folder there has what the one here has: its name says which version that is."""
    files = {
        path.relative_to(here).as_posix(): path.stat().st_size
        for path in here.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    sizes = ask("sizes", paths=[f"{folder}/{name}" for name in files])["sizes"]
    return bool(sizes == list(files.values()))


def _base_of(folder: Path) -> str:
    """What the adapter in that folder builds upon; empty when it is none."""
    try:
        found = json.loads((folder / "adapter_config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    base = found.get("base_model_name_or_path") if isinstance(found, dict) else None
    return base if isinstance(base, str) else ""


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text below a value, with the key that it stands under."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, str(name))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, key)
    elif isinstance(value, str):
        yield key, value


def _snake(name: str) -> str:
    """A dataset's name as its cache folder writes it: datasets.naming.camelcase_to_snakecase."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()
