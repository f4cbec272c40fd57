"""What a run needs on its host: code, data and models, sent once and known by their content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from luthier.trainers.data.named_files import NamedFile
from luthier.trainers.registry import find_task
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import build_spec, dump_spec

from ..text import size
from .bundle import bundle
from .errors import HostError
from .hashes import FileContent, Hashes, tree_id
from .host import Tell
from .hub_cache import HubCache, overlay
from .link import Link
from .transfer import send_file

_TOLD_BYTES = 1 << 20
_ASKED_AT_ONCE = 1000
_NAMED_FILES = "luthier.trainers.data.named_files"


class Shipper:
    """Brings things to one host.

    Args:
        link: to the host.
        root: where everything of ours lies there.
        hashes: of files here.
    """

    def __init__(self, link: Link, root: str, hashes: Hashes) -> None:
        self._link = link
        self._root = root
        self._hashes = hashes

    def ship_bundle(self, tell: Tell) -> str:
        """The folder of the trainers half there; sent when it is not there yet."""
        ours = bundle()
        folder = f"{self._root}/bundles/{ours.id}"
        with self._link.turns.of(folder):
            (found,) = self._link.ask("sizes", paths=[folder])["sizes"]
            if found is None:
                tell("sending the trainer")
                with tempfile.TemporaryDirectory() as temporary:
                    packed = Path(temporary) / "bundle.tar"
                    packed.write_bytes(ours.data)
                    content = self._hashes.content(packed, packed.name)
                    target = f"{self._root}/bundles/{ours.id}.{os.getpid()}.tar"
                    send_file(self._link, content, target, lambda moved: None)
                self._link.ask("unpack", path=target, folder=folder)
        return folder

    def ship_files(self, spec: RunSpec, tell: Tell) -> dict[str, str]:
        """Where each local file and folder that the spec names is there; sent when missing.

        Raises:
            HostError: a file cannot be read, or the host does not take it.
        """
        found = {}
        for path in sorted(set(local_paths(spec))):
            named = named_by_rows(spec) if path == spec.data.path else []
            found[path] = self.ship(Path(path), tell, named=named)
        return found

    def ship(self, path: Path, tell: Tell, name: str = "", named: Sequence[NamedFile] = ()) -> str:
        """Where a file or folder is there; sent when missing. Raises like ship_files.

        Args:
            path: of it here.
            tell: told of progress.
            name: what that calls it; silent: its own name.
            named: files that go with it and keep their places beside it.
        """
        try:
            self._need_there([file for file in named if file.absolute])
            beside = {Path(file.path) for file in named if not file.absolute}
            return self._ship(path, tell, name or path.name, beside)
        except OSError as error:
            raise HostError(f"{path}: cannot be sent: {error.strerror or error}.") from error

    def ship_cached(self, wanted: RunSpec | str, tell: Tell) -> dict[str, str]:
        """Bring there what the hub has and the cache here too, for a worker that is offline.

        Args:
            wanted: a spec, or what the hub calls a model.
            tell: told of progress.

        Returns:
            the environment that makes a worker find it.

        Raises like ship_files.
        """
        here = HubCache()
        try:
            found = here.of_name(wanted) if isinstance(wanted, str) else here.of_spec(wanted)
            return overlay(
                found, self._root, self._link.ask, lambda it: self.ship(it.path, tell, it.name)
            )
        except OSError as error:
            raise HostError(f"The cache of the hub cannot be read: {error}.") from error

    def _need_there(self, files: Sequence[NamedFile]) -> None:
        """Raises HostError when the host lacks a file that is named by its absolute path."""
        for first in range(0, len(files), _ASKED_AT_ONCE):
            some = files[first : first + _ASKED_AT_ONCE]
            sizes = self._link.ask("sizes", paths=[file.path for file in some])["sizes"]
            for file, found in zip(some, sizes, strict=True):
                if found is None:
                    raise HostError(
                        f"{file.where}: {file.cell} is named by its absolute path, and the host "
                        "has no such file.",
                        hint="Name it relative to the table's folder: it then travels with it.",
                    )

    def _ship(self, path: Path, tell: Tell, name: str, beside: Iterable[Path] = ()) -> str:
        base = path if path.is_dir() else path.parent
        files = self._hashes.contents(path)
        more = sorted(set(beside) - {file.path for file in files})
        root = Path(os.path.commonpath([base, *(each.parent for each in more)]))
        if more:
            placed = [*(file.path for file in files), *more]
            files = [self._hashes.content(it, it.relative_to(root).as_posix()) for it in placed]
        folder = f"{self._root}/trees/{tree_id(files)}"
        (found,) = self._link.ask("sizes", paths=[folder])["sizes"]
        if found is None:
            targets = [f"{self._root}/blobs/{file.sha256[:2]}/{file.sha256}" for file in files]
            self._send(name, files, targets, tell)
            links = [[file.name, there] for file, there in zip(files, targets, strict=True)]
            self._link.ask("link", folder=folder, files=links, seconds=600)
            self._hashes.save()
        inside = path.relative_to(root).as_posix()
        return folder if inside == "." else f"{folder}/{inside}"

    def _send(self, name: str, files: list[FileContent], targets: list[str], tell: Tell) -> None:
        total = sum(file.size for file in files)
        progress = Progress(f"sending {name}", total, tell)
        for file, target in zip(files, targets, strict=True):
            with self._link.turns.of(target, lambda: tell(f"waiting for another's {name}")):
                send_file(self._link, file, target, progress.moved)


class Progress:
    """Bytes that have moved, told in words now and then."""

    def __init__(self, doing: str, total: int, tell: Tell) -> None:
        self._doing = doing
        self._total = total
        self._tell = tell
        self._done = 0
        self._told = -1

    def moved(self, count: int) -> None:
        """So many bytes more; negative when some must be moved again."""
        self._done += count
        step = max(_TOLD_BYTES, self._total // 100)
        if self._done // step != self._told and self._total > _TOLD_BYTES:
            self._told = self._done // step
            self._tell(f"{self._doing}, {size(self._done)} of {size(self._total)}")


def local_paths(spec: RunSpec) -> Iterator[str]:
    """Every file or folder of this host that the spec names, without the function behind it."""
    for text in _texts(spec.model_dump(mode="json")):
        path = _path_in(text)
        if path:
            yield path


def named_by_rows(spec: RunSpec) -> list[NamedFile]:
    """The files that the rows of the spec's data name; none where the rows cannot be read.

    What is wrong with them is then said by the worker, as on this machine.
    """
    if not any(column.role == "image" for column in find_task(spec.task).columns):
        return []
    with tempfile.TemporaryDirectory(prefix="luthier-") as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(dump_spec(spec), encoding="utf-8")
        command = [sys.executable, "-m", _NAMED_FILES, str(path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        return []
    return [NamedFile(**each) for each in json.loads(ended.stdout)]


def moved_spec(spec: RunSpec, there: dict[str, str]) -> RunSpec:
    """The spec with its paths as they are on the host."""

    def move(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: move(each) for key, each in value.items()}
        if isinstance(value, list):
            return [move(each) for each in value]
        path = _path_in(value) if isinstance(value, str) else ""
        return there[path] + value[len(path) :] if path in there else value

    values: dict[str, Any] = move(spec.model_dump(mode="json"))
    return build_spec(values, source="spec.yaml")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _path_in(text: str) -> str:
    """The absolute path that a setting is, or that stands before its ``:function``."""
    if not text.startswith("/") or len(text) > 4000 or "\n" in text or "\0" in text:
        return ""
    for path in (text, text.rpartition(":")[0]):
        # The root itself is no data set but a character that somebody chose.
        if path.strip("/") and os.path.exists(path):
            return path
    return ""
