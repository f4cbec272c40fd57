"""Builds the tiny model of a task.

    python -m luthier.trainers.tiny TASK FOLDER

It is random, made from a config for the task's sample data, and the same every time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ..engine.folders import replace_folder, staging
from ..errors import LuthierError
from ..registry import find_task


def build(task_id: str, folder: Path) -> None:
    """Write the model and what belongs to it into the folder, replacing an older one.

    Raises:
        LuthierError: there is no such task, or it has no tiny model.
    """
    task = find_task(task_id)
    if not task.tiny:
        raise LuthierError(f"{task.id} has no tiny model.")
    staged = staging(folder)
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    task.imported("tiny")(staged, task.sample)
    replace_folder(staged, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m luthier.trainers.tiny", description=__doc__)
    parser.add_argument("task")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    try:
        build(given.task, given.folder)
    except LuthierError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
