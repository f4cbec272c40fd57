"""Run specs: what one run is told, checked before anything is started."""

from .parameter import Section, conflict, parameter
from .run_spec import GradientSpec, RunSpec
from .sections import (
    EvaluationSection,
    LaunchSection,
    ModelSection,
    OutputSection,
    PeftSection,
    TrainingSection,
)
from .text_data import TextDataSection, TextEvaluationSection, TextSpec

__all__ = [
    "EvaluationSection",
    "GradientSpec",
    "LaunchSection",
    "ModelSection",
    "OutputSection",
    "PeftSection",
    "RunSpec",
    "Section",
    "TextDataSection",
    "TextEvaluationSection",
    "TextSpec",
    "TrainingSection",
    "conflict",
    "parameter",
]
