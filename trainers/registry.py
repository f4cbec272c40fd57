"""The tasks: one entry each, found by looking at the modules of ``luthier.trainers.tasks``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

from .errors import LuthierError
from .spec import RunSpec

Family = Literal[
    "language model",
    "preference",
    "text",
    "sentence embedding",
    "image",
    "vision-language",
    "tabular",
]
InputKind = Literal["text", "image", "row"]


@dataclass(frozen=True)
class Column:
    """One column a task's dataset has: its part, type in plain words, and an example value.

    ``names`` are the column names that the part goes by when the spec maps none, the likeliest
    first, whatever their capitals. The part's own name is always one of them. ``several`` says
    that more than one column may play the part, ``unless`` names a part that makes it needless.
    """

    role: str
    type: str
    example: Any
    required: bool = True
    names: tuple[str, ...] = ()
    several: bool = False
    unless: str = ""


@dataclass(frozen=True)
class Loading:
    """How the public libraries load a result.

    Attributes:
        auto_class: class of transformers that loads the model; empty where the task's ``usage``
            says all of it.
        processor: class of transformers that loads what turns inputs into tensors.
        peft_type: name of peft's TaskType; None where peft has none for it.
        library: ``library_name`` of the card.
        pipeline_tag: ``pipeline_tag`` of the card.
    """

    auto_class: str = "AutoModelForCausalLM"
    processor: str = "AutoTokenizer"
    peft_type: str | None = "CAUSAL_LM"
    library: str = "transformers"
    pipeline_tag: str = "text-generation"


@dataclass(frozen=True)
class Inputs:
    """What a result predicts from.

    Attributes:
        roles: the columns of the task that an input has; the only one takes a bare text or file.
        kind: text and row: values typed or read from a table; image: a picture's file.
        optional: columns of the task that may be left out.
    """

    roles: tuple[str, ...]
    kind: InputKind = "text"
    optional: tuple[str, ...] = ()

    def from_here(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row with the paths of its pictures made whole, since others open them elsewhere."""
        if self.kind != "image" or self.roles[0] not in row:
            return dict(row)
        value = row[self.roles[0]]
        found = [_whole(each) for each in value] if isinstance(value, list) else _whole(value)
        return {**row, self.roles[0]: found}


@dataclass(frozen=True)
class Task:
    """What can be trained.

    Attributes:
        id: the name in specs, such as ``llm-sft``.
        sentence: one plain sentence for somebody who has never trained it.
        spec: the parameter model; its sections declare every setting.
        metrics: what evaluation reports, the main one first.
        default_model: a small hub model to start from.
        sample: folder with a tiny dataset that the package carries.
        train: dotted path ``module:function`` of the training function, imported in workers only.
        chats: whether results can be talked to.
        rules: dotted path ``module:class`` of the RowRules that read and check the rows; empty for
            tasks on rows of language models. Imported without torch.
        loading: how the public libraries load a result.
        usage: what the card's code does once ``model`` and ``tokenizer`` (or ``processor``) are
            loaded; ``$role`` stands for a value of the data. Empty: it generates text.
        predict: dotted path ``module:class`` of the Predictor, imported in predict workers only;
            empty for tasks whose results chat instead.
        inputs: what predictions are made from; None where none are.
        tiny: dotted path ``module:function`` that builds a tiny random model for the sample data,
            called as ``function(folder, sample)``; empty where no model is needed.
        sample_settings: ``section.key`` settings of a quick run on the sample data; ``{model}`` in
            a text stands for the tiny model's folder.
        aliases: other ids by which specs may name the task.
    """

    id: str
    family: Family
    title: str
    sentence: str
    columns: tuple[Column, ...]
    spec: type[RunSpec]
    metrics: tuple[str, ...]
    default_model: str
    sample: Path
    train: str
    chats: bool = False
    notes: tuple[str, ...] = field(default=())
    rules: str = ""
    loading: Loading = field(default=Loading())
    usage: str = ""
    predict: str = ""
    inputs: Inputs | None = None
    tiny: str = ""
    sample_settings: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def imported(self, attribute: str) -> Any:
        """What the dotted path in that attribute names, imported now."""
        module, _, name = str(getattr(self, attribute)).partition(":")
        return getattr(importlib.import_module(module), name)

    def quick_settings(self, model: str | None) -> dict[str, Any]:
        """The settings of a quick run on the sample data, with the tiny model's folder put in."""
        return {
            key: value.replace("{model}", model) if model and isinstance(value, str) else value
            for key, value in self.sample_settings.items()
        }

    @property
    def learned(self) -> tuple[str, ...]:
        """The columns that a prediction brings: those that are no input."""
        if self.inputs is not None and not self.inputs.roles:
            return tuple(column.role for column in self.columns if column.required)
        given = (*self.inputs.roles, *self.inputs.optional) if self.inputs else ()
        return tuple(column.role for column in self.columns if column.role not in given)


def _whole(value: Any) -> Any:
    """The path of a file that is there, from the root; anything else as it is."""
    if not isinstance(value, str) or not value:
        return value
    try:
        path = Path(value).expanduser()
        return str(path.absolute()) if path.exists() else value
    except (OSError, RuntimeError, ValueError):
        return value


@cache
def tasks() -> dict[str, Task]:
    """Every task by id, in the order of the ids."""
    package = importlib.import_module(f"{__package__}.tasks")
    found: dict[str, Task] = {}
    for module in pkgutil.iter_modules(package.__path__):
        entry = importlib.import_module(f"{package.__name__}.{module.name}").TASK
        found[entry.id] = entry
    return dict(sorted(found.items()))


def find_task(task_id: str) -> Task:
    """The task of that id or alias.

    Raises:
        LuthierError: there is none; names the nearest id.
    """
    known = tasks()
    if task_id in known:
        return known[task_id]
    for task in known.values():
        if task_id in task.aliases:
            return task
    near = get_close_matches(task_id, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known tasks: {', '.join(known)}."
    raise LuthierError(f"There is no task {task_id!r}.", hint=hint)
