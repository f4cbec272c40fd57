"""What all models share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Fields that nobody declared are mistakes."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())
