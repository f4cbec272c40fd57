"""What is said to a predict worker and what it says: one JSON object a line, both ways.

As with chat workers a request carries a number and every reply to it carries the same; requests
are carried out one after the other, ``cancel`` is heard at once, and the end of the input ends the
worker.

    load     -> ready | failed
    predict  -> started, answer ..., finished | failed
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from ..serving.messages import Cancel, WorkerMessage


class Load(WorkerMessage):
    """Load the result of a run, once in a worker's life."""

    op: Literal["load"] = "load"
    run: str = Field(description="The run folder.")


class Predict(WorkerMessage):
    """Predict from ``rows``, or from what ``source`` names: texts, files or folders."""

    op: Literal["predict"] = "predict"
    source: str | list[str] | None = None
    rows: list[dict[str, Any]] = []


Request = Annotated[Load | Predict | Cancel, Field(discriminator="op")]


class Ready(WorkerMessage):
    """The result is loaded."""

    kind: Literal["ready"] = "ready"
    device: str


class Started(WorkerMessage):
    """The inputs are read; so many predictions will come."""

    kind: Literal["started"] = "started"
    total: int


class Answer(WorkerMessage):
    """The prediction for one input. ``where`` names the input's place in its file."""

    kind: Literal["answer"] = "answer"
    index: int
    where: str
    input: dict[str, Any]
    prediction: dict[str, Any]


class Finished(WorkerMessage):
    """The prediction is over; ``cancelled`` when it was ended early."""

    kind: Literal["finished"] = "finished"
    cancelled: bool = False
    seconds: float


class Failed(WorkerMessage):
    """The request could not be carried out; the worker lives on. ``message`` is one sentence.

    ``mistake`` when what was given is wrong, not the worker.
    """

    kind: Literal["failed"] = "failed"
    message: str
    mistake: bool = False


Reply = Annotated[Ready | Started | Answer | Finished | Failed, Field(discriminator="kind")]

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)


def parse_request(line: bytes) -> Request:
    """The request on that line. Raises pydantic.ValidationError."""
    return _REQUEST.validate_json(line)


def parse_reply(line: bytes) -> Reply:
    """The reply on that line. Raises pydantic.ValidationError."""
    return _REPLY.validate_json(line)
