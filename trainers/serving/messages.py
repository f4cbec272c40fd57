"""What all messages to and from a worker share: one JSON object a line, with a number."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class WorkerMessage(BaseModel):
    """A request, or a reply to the request of that number."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    id: int


class Cancel(WorkerMessage):
    """End what the request of that number asked for, running or still waiting."""

    op: Literal["cancel"] = "cancel"


def encode(message: BaseModel) -> bytes:
    """The message as a line."""
    return message.model_dump_json().encode() + b"\n"
