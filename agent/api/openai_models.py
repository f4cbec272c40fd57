"""What an OpenAI client sends and gets: the part of that API which a fresh adapter can serve."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..models import ChatMessage, GenerateChunk, Sampling

# Without a limit in the request. An untrained model may never come to an end by itself.
DEFAULT_MAX_TOKENS = 1024
_MOST_TOKENS = 32_768
_FINISH = {"stop": "stop", "length": "length", "cancelled": "stop"}


class TextPart(BaseModel):
    """A part of a message's content; only text is understood."""

    type: Literal["text"]
    text: str


class CompletionMessage(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def plain(self) -> ChatMessage:
        """The message as Luthier has it."""
        text = self.content
        if not isinstance(text, str):
            text = "".join(part.text for part in text)
        return ChatMessage(role="system" if self.role == "developer" else self.role, content=text)


class StreamOptions(BaseModel):
    """Extras of a stream."""

    include_usage: bool | None = None


class CompletionRequest(BaseModel):
    """A chat completion. Parameters that are not listed make no difference here and are ignored.

    top_k and repetition_penalty are not OpenAI's own; other local servers take them too.
    """

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    model: str
    messages: list[CompletionMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: list[str] | None = Field(default=None, max_length=16)
    seed: int | None = None
    n: int | None = Field(default=None, ge=1)

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    def impossible(self) -> str | None:
        """Why this cannot be done, in one sentence; None when it can."""
        if self.n is not None and self.n > 1:
            return "n must be 1: one answer is written at a time; send the request again for more."
        asked = self.model_extra or {}
        for name in ("tools", "functions"):
            if asked.get(name):
                return f"{name} cannot be used: the model only writes text."
        kind = asked.get("response_format")
        if isinstance(kind, dict) and kind.get("type", "text") != "text":
            return "response_format must be text: other formats cannot be guaranteed."
        for name in ("logprobs", "logit_bias", "frequency_penalty", "presence_penalty", "audio"):
            if asked.get(name):
                return f"{name} is not supported; leave it out."
        return None

    def sampling(self) -> Sampling:
        """How tokens are chosen: ``balanced`` but for what the request says."""
        limit = self.max_completion_tokens or self.max_tokens or DEFAULT_MAX_TOKENS
        return Sampling(
            setting="balanced",
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            max_new_tokens=min(limit, _MOST_TOKENS),
            # OpenAI's seeds may be negative.
            seed=None if self.seed is None else self.seed % 2**63,
            stop=self.stop or [],
        )


class ModelCard(BaseModel):
    """A model to choose: a run's result, or its base model (``:base``)."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "luthier"


class ModelList(BaseModel):
    """Everything that can answer."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class Usage(BaseModel):
    """Tokens of a completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, chunk: GenerateChunk) -> Usage:
        """The usage that an answer's last chunk tells."""
        total = chunk.prompt_tokens + chunk.completion_tokens
        return cls(
            prompt_tokens=chunk.prompt_tokens,
            completion_tokens=chunk.completion_tokens,
            total_tokens=total,
        )


class AnswerMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class AnswerChoice(BaseModel):
    """The only choice there is."""

    index: int = 0
    message: AnswerMessage
    finish_reason: str
    logprobs: None = None


class Completion(BaseModel):
    """A whole completion."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[AnswerChoice]
    usage: Usage


class Delta(BaseModel):
    """What a stream's chunk adds."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class DeltaChoice(BaseModel):
    """The only choice there is, a piece of it."""

    index: int = 0
    delta: Delta
    finish_reason: str | None = None
    logprobs: None = None


class CompletionChunk(BaseModel):
    """A piece of a streamed completion."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[DeltaChoice]
    usage: Usage | None = None


class OpenAiError(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAiErrorReply(BaseModel):
    """The body of every refusal."""

    error: OpenAiError


def finish_reason(chunk: GenerateChunk) -> str | None:
    """The chunk's end in OpenAI's words."""
    return _FINISH.get(chunk.finish) if chunk.finish else None
