"""vlm-captioning: what is said about a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..engine.column_task import run_column_task
from ..engine.job import Job, Result
from ..tasks.vlm_captioning import CaptioningSpec
from .task import PicturePredictor, PictureTask


def train(job: Job[CaptioningSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_column_task(job, PictureTask)


class CaptionPredictor(PicturePredictor):
    """A caption for each picture."""

    role = "caption"

    def question(self, row: Mapping[str, Any]) -> str:
        return str(self.spec.data.instruction)
