"""The exit codes of every command: scripts rely on them."""

from __future__ import annotations

from enum import IntEnum

from ..states import RunState


class ExitCode(IntEnum):
    """What the number means that a command ends with."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "Done."
    FAILED = 1, "The run failed or was lost, a check of `doctor` is red, or the demo fell short."
    WRONG_INPUT = 2, "Something given is wrong: an option, a spec, a file, a run id."
    UNREACHABLE = 3, "The agent does not answer or could not be started."
    STOPPED = 4, "The run that was waited for was stopped before its end."
    INTERRUPTED = 130, "Interrupted with ctrl-c."
    READER_GONE = 141, "Whoever read the output has gone, such as `head`."


def of_run(state: RunState) -> ExitCode:
    """How a command ends that waited for a run which ended in ``state``."""
    if state is RunState.SUCCEEDED:
        return ExitCode.OK
    return ExitCode.STOPPED if state is RunState.STOPPED else ExitCode.FAILED
