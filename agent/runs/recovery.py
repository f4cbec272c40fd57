"""What a new agent reads from the run folders: records, and what its index has missed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from luthier.trainers.errors import LuthierError
from luthier.trainers.run_folder import AttemptFolder, RunFolder
from luthier.trainers.spec.yaml_loader import SpecLoader

from ..models import HardwareSample, Run
from ..paths import Home
from ..states import RunState
from ..store import Store
from .calibration import remember
from .record import RunRecord, load_record

_log = logging.getLogger(__name__)
# Folders that are being made or deleted; nobody else uses names with a dot in front.
NEW_PREFIX = ".new-"
REMOVED_PREFIX = ".removed-"
_SAMPLES_AT_ONCE = 1000


@dataclass
class Found:
    """The runs of a home. ``unreadable`` maps the id of a run to what is wrong with its record."""

    records: dict[str, RunRecord] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def find_runs(home: Home) -> Found:
    """Read every run's record; a run whose record cannot be read is found all the same.

    Folders that an earlier agent had not finished making or deleting are deleted.

    Raises:
        OSError: the folder of the runs cannot be read.
    """
    found = Found()
    for entry in sorted(home.runs.iterdir()):
        if entry.name.startswith((NEW_PREFIX, REMOVED_PREFIX)):
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.is_dir() and not entry.name.startswith("."):
            folder = RunFolder(entry)
            try:
                found.records[entry.name] = load_record(folder)
            except LuthierError as error:
                found.unreadable[entry.name] = str(error)
                found.records[entry.name] = _stand_in(folder, str(error))
    return found


def index_run(store: Store, folder: RunFolder, run: Run) -> None:
    """Bring the index of one run up to date with its folder.

    Raises:
        StoreUnavailable, DamagedDatabase: the store cannot be written.
        OSError: the folder cannot be read.
    """
    known = store.run(run.id)
    if known != run:
        store.save_run(run, None if known else read_spec(folder), announce=False)
    for attempt in folder.attempts():
        index_attempt(store, folder, attempt)
        if known is None:
            _index_hardware(store, folder, attempt)
    remember(store, folder, run)


def index_attempt(store: Store, folder: RunFolder, attempt: AttemptFolder) -> None:
    """Store the events of an attempt that are not stored yet. Raises like index_run."""
    while store.ingest_file(folder.run_id, attempt.number, attempt.events).more:
        pass


def read_spec(folder: RunFolder) -> dict[str, Any] | None:
    """The resolved spec as plain values; None when it cannot be read."""
    try:
        values = yaml.load(folder.spec.read_text(encoding="utf-8"), SpecLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        _log.warning("%s: %s", folder.spec, error)
        return None
    return values if isinstance(values, dict) else None


def _index_hardware(store: Store, folder: RunFolder, attempt: AttemptFolder) -> None:
    batch: list[HardwareSample] = []
    for sample in _read_samples(attempt.hardware):
        batch.append(sample)
        if len(batch) == _SAMPLES_AT_ONCE:
            store.add_hardware(folder.run_id, *batch)
            batch = []
    if batch:
        store.add_hardware(folder.run_id, *batch)


def _read_samples(path: Path) -> Iterator[HardwareSample]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                yield HardwareSample.model_validate_json(line)
            except ValidationError:
                # A line that a killed agent left torn.
                continue


def _stand_in(folder: RunFolder, problem: str) -> RunRecord:
    """A record for display, from what else the folder has."""
    spec = read_spec(folder) or {}
    model = spec.get("model")
    try:
        created = folder.path.stat().st_mtime
    except OSError:
        created = 0.0
    return RunRecord(
        id=folder.run_id,
        name=str(spec.get("name") or folder.run_id),
        task=str(spec.get("task") or "unknown"),
        model=str(model.get("name_or_path", "")) if isinstance(model, dict) else "",
        host="local",
        state=RunState.LOST,
        created_at=created,
        queue_key=created,
        reason=problem,
        hint="Nothing of the run was deleted; its folder can be copied and looked into.",
    )
