"""Run specs: what one run is told, checked before anything is started."""

from .adapter_section import AdapterSection, PeftSection, WholeOrLoraSection
from .column_spec import ColumnSpec, WeightedColumnSpec
from .data_section import DataSection, WeightedDataSection
from .parameter import Section, conflict, parameter, with_default
from .run_spec import GradientSpec, RunSpec
from .sections import (
    EvaluationSection,
    LaunchSection,
    ModelSection,
    OutputSection,
    TrainingSection,
)
from .text_data import TextDataSection, TextEvaluationSection, TextSpec

__all__ = [
    "AdapterSection",
    "ColumnSpec",
    "DataSection",
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
    "WeightedColumnSpec",
    "WeightedDataSection",
    "WholeOrLoraSection",
    "conflict",
    "parameter",
    "with_default",
]
