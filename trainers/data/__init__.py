"""Rows for causal language models: read, recognised, checked and turned into what TRL takes.

dataset = read_dataset(spec.data)
report = preflight(dataset, spec)                       # DataError carries every problem
examples = build_examples(dataset.train, spec.data)     # {"prompt", "completion"}, ...
"""

from .chats import Message
from .examples import Example, build_examples
from .formats import Recognition, recognise
from .preflight import Measure, preflight
from .read import read_dataset
from .report import LengthReport, PreflightReport, SamplePrompt, SplitReport
from .table import Dataset, Table

__all__ = [
    "Dataset",
    "Example",
    "LengthReport",
    "Measure",
    "Message",
    "PreflightReport",
    "Recognition",
    "SamplePrompt",
    "SplitReport",
    "Table",
    "build_examples",
    "preflight",
    "read_dataset",
    "recognise",
]
