"""A quick local test of a task: its sample data, and a tiny random model made for it."""

from __future__ import annotations

from typing import Any

from luthier.trainers.errors import LuthierError, TrainingError
from luthier.trainers.registry import Task

from .invocation import Invocation
from .subprocesses import run_module


def sample_settings(here: Invocation, task: Task) -> dict[str, Any]:
    """``section.key`` settings of a run on the sample data; builds the tiny model it needs.

    Raises:
        TrainingError: the model could not be built.
    """
    if not task.sample.is_dir():
        raise LuthierError(f"{task.id} has no sample data.")
    model = _tiny_model(here, task) if task.tiny else None
    settings: dict[str, Any] = {
        "data.path": str(task.sample),
        "launch.devices": "cpu",
        "launch.offline": True,
        **task.quick_settings(model),
    }
    if model is not None:
        settings["model.name_or_path"] = model
    return settings


def _tiny_model(here: Invocation, task: Task) -> str:
    folder = here.home.path / "tiny" / task.id
    if not folder.is_dir():
        with here.busy("Making a tiny model ..."):
            ended = run_module("luthier.trainers.tiny", [task.id, str(folder)])
        if ended.code:
            raise (LuthierError if ended.code == 2 else TrainingError)(ended.last_words)
    return str(folder)
