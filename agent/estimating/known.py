"""The models that Auto may name: those on this machine, and those of the model list."""

from __future__ import annotations

from luthier.presets.auto import KnownModel
from luthier.presets.catalog import models
from luthier.presets.memory import find_model
from luthier.presets.memory.architectures import shape_of_config


def known_models(task: str) -> list[KnownModel]:
    """Models of the list that the task could train, with their shapes."""
    return [
        KnownModel(
            entry.id,
            shape_of_config(entry.config, entry.id),
            cached=find_model(entry.id) is not None,
        )
        for entry in models()
        if task in entry.tasks
    ]
