"""Takes the result of a run out of its folder.

    python -m luthier.trainers.export RUN_FOLDER --to FOLDER [--merge] [--checkpoint STEP]

Lines on standard output say how far it is; an error is one line on standard error. Exit codes:
0 done, 2 it cannot be done as asked, 1 anything else.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .engine.folders import ONLY_FOR_RESUMING
from .errors import LuthierError
from .run_folder import RunFolder
from .spec import GradientSpec, RunSpec
from .worker import read_run_spec


def export(run: RunFolder, target: Path, *, merge: bool, checkpoint: int | None) -> None:
    """Write an adapter with its card, or the merged model, into a new folder.

    Args:
        run: the run's folder.
        target: the folder to make; it may exist when it is empty.
        merge: fold the adapter into the base model.
        checkpoint: the step to take instead of the result.

    Raises:
        LuthierError: there is no such result, or the folder holds something already.
    """
    spec = read_run_spec(run)
    source = _source(run, checkpoint)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise LuthierError(f"{target} exists already.", hint="Name a new or an empty folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if merge:
        if not isinstance(spec, GradientSpec):
            raise LuthierError(f"There is nothing to merge in a result of {spec.task}.")
        from .engine.merge import merge_adapter

        print(f"merging {source} into {spec.model.name_or_path}", flush=True)
        merge_adapter(source, target, spec)
    else:
        print(f"copying {source}", flush=True)
        ignored = shutil.ignore_patterns(*ONLY_FOR_RESUMING)
        shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)
    _write_card(run, target, spec, source, checkpoint)
    print(f"done {target}", flush=True)


def _source(run: RunFolder, checkpoint: int | None) -> Path:
    if checkpoint is not None:
        known = {int(path.name.split("-")[1]): path for path in run.complete_checkpoints()}
        if checkpoint not in known:
            steps = ", ".join(map(str, known)) or "none"
            raise LuthierError(
                f"{run.path.name} has no checkpoint of step {checkpoint}.",
                hint=f"It has: {steps}.",
            )
        return known[checkpoint]
    for folder in (run.adapter, run.model):
        if folder.exists():
            return folder
    raise LuthierError(
        f"{run.path.name} has no result yet.",
        hint="Wait for its end, or name one of its checkpoints.",
    )


def _write_card(
    run: RunFolder, target: Path, spec: RunSpec, source: Path, checkpoint: int | None
) -> None:
    from .engine.card import write_card
    from .engine.figures import figures_of

    if checkpoint is None:
        figures = json.loads((run.artifacts / "metrics.json").read_text(encoding="utf-8"))
    else:
        state = json.loads((source / "trainer_state.json").read_text(encoding="utf-8"))
        figures = figures_of(state["log_history"], None)
    write_card(target, run, spec, figures)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="luthier.trainers.export", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--merge", action="store_true", help="fold the adapter into the model")
    parser.add_argument("--checkpoint", type=int, metavar="STEP", help="a step, not the result")
    given = parser.parse_args(arguments)
    try:
        export(RunFolder(given.run), given.to, merge=given.merge, checkpoint=given.checkpoint)
    except LuthierError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        from .engine.outcome import describe

        event = describe(error)
        print(f"{event.message} {event.hint}".strip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
