"""How a worker ends: every way out becomes an event and an exit code. Torch-free."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable

from .. import errors
from ..errors import LuthierError, ProblemsError
from ..events import DoneEvent, ErrorEvent, read_events
from ..run_folder import AttemptFolder
from .hints import hint_for
from .job import Reporter, Result, process_index
from .stopping import StopRequested, StopWatch


class RestartRequested(Exception):  # noqa: N818 - not a failure: the supervisor starts us again
    """The run is to be started again with other settings."""


EXIT_RESTART = 75


def run_to_the_end(reporter: Reporter, stop: StopWatch, action: Callable[[], Result | None]) -> int:
    """Do the work and say how it ended.

    Args:
        reporter: where to say it.
        stop: tells whether an end was wanted.
        action: the work; None when other processes did it and have spoken.

    Returns:
        The exit code: 0 finished or stopped, 2 a mistake in the spec or data, 75 to be started
        again, 1 anything else.
    """
    result: Result | None
    try:
        result = action()
        if result is None:
            return exit_code_of(reporter.attempt)
    except StopRequested as order:
        result = Result(step=order.step, stopped=True)
    except RestartRequested:
        return EXIT_RESTART
    except Exception as error:
        print(_without_secrets(traceback.format_exc()), file=sys.stderr, flush=True)
        if reporter.attempt.restart_request.exists():
            return EXIT_RESTART
        if not stop.asked:
            return _report_failure(reporter, error)
        # A process that leaves on request takes the connections of the others with it.
        result = Result(step=0, stopped=True)
    if result.stopped and reporter.failed_already():
        # The launcher ends the others by the same signal once one process has failed.
        return exit_code_of(reporter.attempt)
    reporter.emit(
        DoneEvent(
            stopped=result.stopped,
            step=result.step,
            artifact=result.artifact,
            metrics=result.metrics,
        )
    )
    return 0


def exit_code_of(attempt: AttemptFolder) -> int:
    """What the processes of a run that was started by a launcher amount to."""
    if attempt.restart_request.exists():
        return EXIT_RESTART
    for event in reversed(read_events(attempt.events)):
        if isinstance(event, DoneEvent):
            return 0
        if isinstance(event, ErrorEvent):
            kind = getattr(errors, event.type, None)
            return int(getattr(kind, "exit_code", 1))
    return 1


def _report_failure(reporter: Reporter, error: Exception) -> int:
    reporter.fail(describe(error))
    return error.exit_code if isinstance(error, LuthierError) else 1


def describe(error: Exception) -> ErrorEvent:
    """The error as a person should read it."""
    if isinstance(error, LuthierError):
        message, hint = error.message, error.hint
        if isinstance(error, ProblemsError):
            message = "\n".join(str(problem) for problem in error.problems)
    else:
        message, hint = _sentence(error), hint_for(error)
    where = f" (process {process_index()})" if process_index() else ""
    return ErrorEvent(
        type=type(error).__name__, message=_without_secrets(message) + where, hint=hint
    )


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full: {error.filename or 'a file'} could not be written."
    first = str(error).strip().split("\n\n")[0].strip()
    return first[:2000] or f"{type(error).__name__} without a message."


def _without_secrets(text: str) -> str:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY"):
        secret = os.environ.get(name)
        if secret:
            text = text.replace(secret, f"${name}")
    return text
