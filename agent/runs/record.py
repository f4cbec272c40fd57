"""run.json: what the agent knows about a run, from which everything else can be rebuilt."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from luthier.trainers.errors import LuthierError
from luthier.trainers.run_folder import RunFolder, write_json

from ..models import Attempt, Progress, Run
from ..states import RunState

_FIRST_PHASES = ("", "starting", "preflight", "probing", "loading", "tokenizing")


class RunRecord(BaseModel):
    """One run's state and times. Replaced as a whole on each change, never changed in place.

    Attributes:
        queue_key: waiting runs start in the order of their keys.
        folded: number of the last worker event that this record reflects.
        retries_used: how often the run was queued again after it was lost.
        unreachable_since: since when there is no way to the run's host.
        needs_person: whether that lasts until a person logs in to it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    id: str
    name: str
    task: str
    model: str
    host: str
    state: RunState
    created_at: float
    queue_key: float
    shares_device: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    phase: str = ""
    progress: Progress = Progress()
    last_metrics: dict[str, float | None] = {}
    reason: str = ""
    hint: str = ""
    warnings: int = 0
    attempts: list[Attempt] = []
    artifact: str | None = None
    placement: dict[str, Any] | None = None
    folded: int = 0
    retries_used: int = 0
    unreachable_since: float | None = None
    needs_person: bool = False

    @property
    def devices(self) -> list[str]:
        """The devices that the run holds now."""
        return self.attempts[-1].devices if self.state.active and self.attempts else []

    @property
    def settled(self) -> bool:
        """Whether it trains, so that it holds what memory it needs."""
        return self.progress.step > 0 and self.phase not in _FIRST_PHASES

    def with_attempt(self, number: int, **changes: Any) -> RunRecord:
        """The record with that attempt changed."""
        attempts = [
            attempt.model_copy(update=changes) if attempt.number == number else attempt
            for attempt in self.attempts
        ]
        return self.model_copy(update={"attempts": attempts})

    @property
    def _unreachable(self) -> str:
        if self.unreachable_since is None or not self.state.active:
            return ""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.unreachable_since))
        waits = (
            f" and waits for you (log in: luthier host check {self.host})"
            if self.needs_person
            else ""
        )
        return f"Host {self.host} is unreachable since {since}{waits}; the run goes on there."

    def run(self, folder: RunFolder, *, position: int | None = None, waits: str = "") -> Run:
        """The run as the API shows it.

        Args:
            folder: its folder.
            position: its place in the queue.
            waits: why it waits.
        """
        return Run(
            id=self.id,
            name=self.name,
            task=self.task,
            model=self.model,
            host=self.host,
            state=self.state,
            created_at=self.created_at,
            started_at=self.started_at,
            ended_at=self.ended_at,
            phase=self.phase,
            progress=self.progress,
            last_metrics=self.last_metrics,
            reason=waits or self.reason or self._unreachable,
            unreachable_since=self.unreachable_since,
            hint=self.hint,
            warnings=self.warnings,
            queue_position=position,
            attempts=self.attempts,
            resumable=self.state.finished and self.state is not RunState.SUCCEEDED,
            artifact=self.artifact,
            folder=str(folder.path),
        )


def save_record(folder: RunFolder, record: RunRecord) -> None:
    """Replace run.json. Raises OSError when the disk is full or the folder is gone."""
    write_json(folder.record, record.model_dump(mode="json"))


def load_record(folder: RunFolder) -> RunRecord:
    """Read run.json.

    Raises:
        LuthierError: it is missing, torn or not a record; names the file.
    """
    path: Path = folder.record
    try:
        record = RunRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise LuthierError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise LuthierError(f"{path}: not a run's record: {what}.") from error
    if record.state.active and not record.attempts:
        raise LuthierError(f"{path}: the run is {record.state.value} without an attempt.")
    if record.id != folder.run_id:
        raise LuthierError(f"{path}: belongs to run {record.id}, not to {folder.run_id}.")
    return record
