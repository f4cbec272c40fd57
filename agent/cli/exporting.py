"""Taking a result out of its run's folder, in a process that may load the training packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from luthier.trainers.errors import LuthierError, TrainingError

from .invocation import Invocation
from .subprocesses import run_module


def export_run(
    here: Invocation, name: str, to: Path, *, merge: bool, checkpoint: int | None, quiet: bool
) -> dict[str, Any]:
    """Write the result, or a checkpoint, to a new folder; returns what was written.

    Args:
        merge: fold the adapter into its base model.
        checkpoint: the step to take instead of the result.
        quiet: say nothing on standard output.

    Raises:
        LuthierError: it cannot be done as asked.
        TrainingError: it went wrong on the way.
    """
    run = here.client.run(name)
    arguments = [run.folder, "--to", str(to)]
    if merge:
        arguments.append("--merge")
    if checkpoint is not None:
        arguments += ["--checkpoint", str(checkpoint)]

    def tell(line: str) -> None:
        if not quiet and not line.startswith("done "):
            here.say(line)

    with here.busy(f"Writing {to} ..."):
        ended = run_module("luthier.trainers.export", arguments, tell)
    if ended.code:
        raise (LuthierError if ended.code == 2 else TrainingError)(ended.last_words)
    written = to.absolute()
    files = sorted(str(file.relative_to(written)) for file in written.rglob("*") if file.is_file())
    return {"run": run.id, "path": str(written), "merged": merge, "files": files}
