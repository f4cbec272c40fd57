"""What an ended attempt means: the run's state, and in a sentence why."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from luthier.trainers.events import DoneEvent, ErrorEvent, PhaseEvent, PlacementEvent, parse_event
from luthier.trainers.run_folder import AttemptFolder

from ..hosts.mirror import read_place
from ..launching import ExitReport
from ..states import RunState

# The last words of a worker are its last lines; an error message may be long.
_TAIL_BYTES = 256 * 1024
_FULL_DISK_BYTES = 1 << 20
CHECK_INSTALLATION = "Check the installation with: luthier doctor"
_MEMORY_HINT = (
    "Lower training.per_device_train_batch_size or the length of the rows, "
    "turn on training.gradient_checkpointing, or take a smaller model."
)


@dataclass(frozen=True)
class Ending:
    """How a run ended. ``reason`` is empty when all went well."""

    state: RunState
    reason: str = ""
    hint: str = ""


def diagnose(attempt: AttemptFolder, report: ExitReport | None) -> Ending:
    """What the attempt's folder says about its end; None: its supervisor left no report."""
    done, error = last_words(attempt)
    asked = attempt.stop_request.exists()
    if report is None:
        if asked:
            return Ending(RunState.STOPPED, "Its processes were gone when the stop was looked at.")
        return Ending(
            RunState.LOST,
            "Its processes vanished without a report; the machine restarted or they were killed.",
            "Go on from the last checkpoint with: luthier resume.",
        )
    if report.code == 0 and done is not None and not done.stopped:
        return Ending(RunState.SUCCEEDED)
    if asked or (done is not None and done.stopped):
        return Ending(RunState.STOPPED, _stopped(report, done))
    if report.error:
        return Ending(RunState.FAILED, _sentence(report.error), CHECK_INSTALLATION)
    if error is not None:
        return Ending(RunState.FAILED, _sentence(error.message or error.type), error.hint)
    return _died(attempt, report)


def last_words(attempt: AttemptFolder) -> tuple[DoneEvent | None, ErrorEvent | None]:
    """The done and error events of the attempt's last worker, at the end of its events."""
    done: DoneEvent | None = None
    error: ErrorEvent | None = None
    try:
        with attempt.events.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None, None
    for line in lines:
        event = parse_event(line)
        if isinstance(event, DoneEvent):
            done = event
        elif isinstance(event, ErrorEvent):
            error = event
        elif isinstance(event, PhaseEvent | PlacementEvent):
            # A worker that was started again in the same attempt.
            done = error = None
    return done, error


def _stopped(report: ExitReport, done: DoneEvent | None) -> str:
    if done is not None:
        return f"Stopped after step {done.step}."
    if report.stopped_by in ("terminate", "kill"):
        return "Stopped without a new checkpoint."
    return "Stopped."


def _died(attempt: AttemptFolder, report: ExitReport) -> Ending:
    """An end that the worker could not explain itself."""
    log = f"The end of the output says more: {attempt.output}"
    if report.out_of_memory_killed:
        reason = "The system ended the worker because the machine's memory was used up."
        return Ending(RunState.FAILED, reason, _MEMORY_HINT)
    if report.disk_free < _FULL_DISK_BYTES:
        reason = f"The disk of {_where(attempt)} is full."
        return Ending(RunState.FAILED, reason, "Free some space, then: luthier resume")
    if report.signal is not None:
        reason = f"The worker was killed by signal {report.signal} ({_name(report.signal)})."
        hint = "Somebody or the system ended it; go on with: luthier resume."
        return Ending(RunState.FAILED, reason, hint)
    if report.code in (126, 127):
        reason = f"The worker's command could not be run (exit code {report.code})."
        return Ending(
            RunState.FAILED, reason, f"Check the installation with: luthier doctor. {log}"
        )
    if report.code == 0:
        return Ending(RunState.FAILED, "The worker left without saying that it was done.", log)
    return Ending(RunState.FAILED, f"The worker ended with exit code {report.code}.", log)


def _where(attempt: AttemptFolder) -> str:
    """The run's folder where the attempt was."""
    place = read_place(attempt)
    return f"{place['folder']} on {place['host']}" if place else str(attempt.path.parent)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown signal"


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
