"""One process of a run, on the device that the agent chose.

Started by ``luthier.trainers.launch``, in the same interpreter when the run has one process.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .engine.environment import defer_collection
from .engine.job import Job, Reporter, Result
from .engine.memory import apply_adjustments, read_adjustments
from .engine.outcome import run_to_the_end
from .engine.provenance import write_provenance
from .engine.stopping import StopWatch
from .errors import LuthierError
from .registry import find_task
from .run_folder import AttemptFolder, RunFolder
from .spec import GradientSpec, RunSpec
from .spec.file import load_spec


def read_run_spec(run: RunFolder) -> RunSpec:
    """The run's own spec. Raises SpecError when it cannot work."""
    return load_spec(run.spec)


def train(
    run: RunFolder, attempt: AttemptFolder, spec: RunSpec, reporter: Reporter, stop: StopWatch
) -> Result:
    """Do one attempt's work in this process."""
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    adjustments = None
    if isinstance(spec, GradientSpec):
        adjustments = read_adjustments(attempt, spec)
        apply_adjustments(spec, adjustments)
    job = Job(
        spec=spec,
        run=run,
        attempt=attempt,
        reporter=reporter,
        stop=stop,
        adjustments=adjustments,
        resume_from=run.latest_checkpoint() or _given_checkpoint(spec),
    )
    write_provenance(job)
    with stop.interruptible():
        training_function = find_task(spec.task).imported("train")
    result: Result = training_function(job)
    return result


def _given_checkpoint(spec: RunSpec) -> Path | None:
    """The checkpoint that the spec names. Raises LuthierError when it is none."""
    if not isinstance(spec, GradientSpec) or spec.training.resume_from_checkpoint is None:
        return None
    folder = Path(spec.training.resume_from_checkpoint)
    if not (folder / "trainer_state.json").exists():
        raise LuthierError(
            f"training.resume_from_checkpoint: {folder} is no checkpoint; it has no "
            "trainer_state.json.",
            hint="Checkpoints are the folders checkpoint-<step> in a run's artifacts/checkpoints.",
        )
    return folder


def parse_arguments(arguments: Sequence[str] | None) -> tuple[RunFolder, AttemptFolder]:
    """``RUN_FOLDER ATTEMPT``, from the command line when None."""
    parser = argparse.ArgumentParser(description="Execute one attempt of a run.")
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("attempt", type=int, metavar="ATTEMPT")
    given = parser.parse_args(arguments)
    run = RunFolder(given.run.absolute())
    return run, run.attempt(given.attempt)


def main(arguments: Sequence[str] | None = None) -> int:
    """``RUN_FOLDER ATTEMPT``: one of several processes."""
    run, attempt = parse_arguments(arguments)
    with StopWatch(attempt) as stop, Reporter(attempt) as reporter:
        return run_to_the_end(
            reporter, stop, lambda: train(run, attempt, read_run_spec(run), reporter, stop)
        )


if __name__ == "__main__":
    defer_collection()
    sys.exit(main())
