"""Starts the processes of one attempt of a run, by accelerate's own launcher.

    python -m luthier.trainers.launch RUN_FOLDER ATTEMPT

One process runs right here: accelerate's launcher prepares the environment, and the worker goes
on in the same interpreter, because a second one would load torch again. Several processes are
started by accelerate.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .engine.environment import defer_collection, prepare_environment
from .engine.job import Reporter, Result
from .engine.outcome import run_to_the_end
from .engine.stopping import StopWatch
from .run_folder import AttemptFolder, RunFolder
from .spec import GradientSpec
from .worker import parse_arguments, read_run_spec, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one attempt to its end.

    Returns:
        The attempt's exit code: 0 finished or stopped, 2 a mistake in the spec or data, 75 the
        supervisor is to start it again, 1 anything else.
    """
    run, attempt = parse_arguments(arguments)
    attempt.path.mkdir(parents=True, exist_ok=True)
    with StopWatch(attempt) as stop, Reporter(attempt) as reporter:
        return run_to_the_end(reporter, stop, lambda: _work(run, attempt, reporter, stop))


def _work(
    run: RunFolder, attempt: AttemptFolder, reporter: Reporter, stop: StopWatch
) -> Result | None:
    spec = read_run_spec(run)
    prepare_environment(spec, run)
    if not isinstance(spec, GradientSpec):
        return train(run, attempt, spec, reporter, stop)
    with stop.interruptible():
        from .engine import launching  # loads torch

    if launching.needs_processes(spec.launch):
        launching.start_processes(spec, run, attempt, reporter)
        return None
    launching.enter_process(spec, attempt)
    return train(run, attempt, spec, reporter, stop)


if __name__ == "__main__":
    defer_collection()
    sys.exit(main())
