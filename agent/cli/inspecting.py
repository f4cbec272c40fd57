"""Looking at a dataset in a process of its own: reading rows may load the training packages."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from luthier.trainers.data.report import InspectReport
from luthier.trainers.errors import LuthierError

from .invocation import Invocation
from .subprocesses import run_module


def inspect_data(
    here: Invocation, path: str, *, task: str, model: str | None, settings: Sequence[str]
) -> InspectReport:
    """What is known about the dataset; its mistakes are part of the report.

    Raises:
        LuthierError: nothing could be found out.
    """
    arguments = [path, "--task", task]
    if model is not None:
        arguments += ["--model", model]
    for setting in settings:
        # One word, since a setting may begin with a dash.
        arguments.append(f"--set={setting}")
    with here.busy(f"Looking at {path} ..."):
        ended = run_module("luthier.trainers.data.inspect", arguments)
    try:
        return InspectReport.model_validate_json(ended.out)
    except ValidationError as error:
        raise LuthierError(f"{path} cannot be looked at: {ended.last_words}") from error
