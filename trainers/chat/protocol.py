"""What is said to a chat worker and what it says: one JSON object a line, both ways.

A request carries a number, and every reply to it carries the same number. The worker carries
requests out one after the other, in their order; only ``cancel`` is heard at once. The end of its
input ends the worker, whatever it is doing.

    load      -> ready | failed
    voice     -> added | failed
    generate  -> token ... finished | failed
    batch     -> answer ... finished | failed
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from ..serving.messages import Cancel, WorkerMessage
from ..spec import ModelSection
from .sampling import Choice

Conversation = list[dict[str, str]]
Finish = Literal["stop", "length", "cancelled"]


class Load(WorkerMessage):
    """Load the base model, once in a worker's life. It answers under the name ``voice``."""

    op: Literal["load"] = "load"
    model: ModelSection
    voice: str = "base"
    system_prompt: str = Field(default="", description="That of the voice's training.")


class AddVoice(WorkerMessage):
    """Load an adapter onto the base model; it answers under ``name``."""

    op: Literal["voice"] = "voice"
    name: str
    path: str = Field(description="Folder with the adapter and its tokenizer.")
    system_prompt: str = Field(default="", description="That of the voice's training.")


class Generate(WorkerMessage):
    """Let a voice go on with a conversation, token by token."""

    op: Literal["generate"] = "generate"
    voice: str
    messages: Conversation
    choice: Choice


class Batch(WorkerMessage):
    """Let a voice go on with many conversations."""

    op: Literal["batch"] = "batch"
    voice: str
    conversations: list[Conversation]
    choice: Choice


Request = Annotated[Load | AddVoice | Generate | Batch | Cancel, Field(discriminator="op")]


class Ready(WorkerMessage):
    """The base model is loaded. ``context`` is the longest sequence it takes, when it says so."""

    kind: Literal["ready"] = "ready"
    device: str
    dtype: str
    context: int | None


class Added(WorkerMessage):
    """An adapter is loaded."""

    kind: Literal["added"] = "added"
    name: str


class Token(WorkerMessage):
    """More text of an answer: whole characters, of one token or several."""

    kind: Literal["token"] = "token"
    text: str


class Answer(WorkerMessage):
    """The whole answer to one conversation of a batch."""

    kind: Literal["answer"] = "answer"
    index: int
    text: str


class Finished(WorkerMessage):
    """The generation or batch is over.

    ``first_token_seconds`` counts from the start of the work in the worker, waiting excluded;
    ``tokens_per_second`` is the pace after the first token. A batch sums its tokens and has no
    time to the first token.
    """

    kind: Literal["finished"] = "finished"
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None


class Failed(WorkerMessage):
    """The request could not be carried out; the worker lives on. ``message`` is one sentence."""

    kind: Literal["failed"] = "failed"
    message: str


Reply = Annotated[
    Ready | Added | Token | Answer | Finished | Failed,
    Field(discriminator="kind"),
]

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)


def parse_request(line: bytes) -> Request:
    """The request on that line. Raises pydantic.ValidationError."""
    return _REQUEST.validate_json(line)


def parse_reply(line: bytes) -> Reply:
    """The reply on that line. Raises pydantic.ValidationError."""
    return _REPLY.validate_json(line)
