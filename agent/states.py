"""The states of a run and which changes between them are legal: one table."""

from __future__ import annotations

from enum import Enum


class RunState(str, Enum):
    """Where a run is in its life."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"

    @property
    def active(self) -> bool:
        """Whether processes may exist."""
        return self in (RunState.STARTING, RunState.RUNNING, RunState.STOPPING)

    @property
    def finished(self) -> bool:
        """Whether nothing more happens unless somebody asks."""
        return not self.active and self is not RunState.QUEUED


_Q, _S, _R, _P = RunState.QUEUED, RunState.STARTING, RunState.RUNNING, RunState.STOPPING
_ENDS = {RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.LOST}

LEGAL: dict[RunState, frozenset[RunState]] = {
    _Q: frozenset({_S, RunState.STOPPED, RunState.FAILED}),
    _S: frozenset({_R, _P, *_ENDS}),
    _R: frozenset({_P, *_ENDS}),
    _P: frozenset(_ENDS),
    # Resuming puts a finished run back into the queue.
    **{end: frozenset({_Q}) for end in _ENDS},
}


def may_change(old: RunState, new: RunState) -> bool:
    """Whether a run may go from ``old`` to ``new``."""
    return new in LEGAL[old]
