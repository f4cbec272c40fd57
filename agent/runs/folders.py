"""Making, changing and deleting run folders, so that a kill at any moment leaves no half of one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from luthier.trainers.errors import LuthierError
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import dump_spec

from ..paths import Home
from .record import RunRecord, save_record
from .recovery import NEW_PREFIX, REMOVED_PREFIX


def create(home: Home, record: RunRecord, spec: RunSpec) -> None:
    """Make the folder of a new run with its spec and record. Raises OSError."""
    hidden = RunFolder(home.runs / f"{NEW_PREFIX}{record.id}")
    try:
        hidden.path.mkdir(parents=True)
        _write_text(hidden.spec, dump_spec(spec))
        save_record(hidden, record)
        hidden.path.rename(home.run(record.id).path)
    except OSError:
        shutil.rmtree(hidden.path, ignore_errors=True)
        raise


def read_spec_text(folder: RunFolder) -> str:
    """The resolved spec as text. Raises LuthierError when it cannot be read."""
    try:
        return folder.spec.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LuthierError(f"{folder.spec}: cannot be read: {error}.") from error


def replace_spec(folder: RunFolder, spec: RunSpec) -> None:
    """Write the spec of the next attempt; the one before stays as spec-<n>.yaml. Raises OSError."""
    number = 1
    while (kept := folder.path / f"spec-{number}.yaml").exists():
        number += 1
    shutil.copyfile(folder.spec, kept)
    _write_text(folder.spec, dump_spec(spec))


def hide(home: Home, run_id: str) -> None:
    """Take a run's folder out of sight at once. Raises OSError."""
    home.run(run_id).path.rename(_hidden(home, run_id))


def delete_hidden(home: Home, run_id: str) -> None:
    """Delete a folder that is out of sight. Raises OSError."""
    shutil.rmtree(_hidden(home, run_id))


def _hidden(home: Home, run_id: str) -> Path:
    return home.runs / f"{REMOVED_PREFIX}{run_id}"


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
