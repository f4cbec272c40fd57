"""Chats with models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import StrictModel


class ChatMessage(StrictModel):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sampling(StrictModel):
    """How tokens are chosen. ``setting`` names a ready set; single values win over it."""

    setting: Literal["deterministic", "balanced", "creative"] = "balanced"
    temperature: float | None = Field(default=None, ge=0, le=5)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    max_new_tokens: int = Field(default=256, ge=1, le=32768)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    stop: list[str] = Field(
        default=[], max_length=16, description="The answer ends before the first of these texts."
    )


class OpenChatRequest(StrictModel):
    """A chat with the results of runs, or with a model alone. Runs must share a base model."""

    runs: list[str] = Field(default=[], description="Runs whose adapters (or models) to load.")
    model: str | None = Field(default=None, description="Base model, when no run is named.")
    offline: bool = False
    cpu: bool = Field(default=False, description="Answer on the CPU, whatever else there is.")


class Chat(StrictModel):
    """A loaded chat worker. ``voices`` are the base model and the adapters by run id."""

    id: str
    model: str
    voices: list[str] = Field(description="'base' and the run ids that can answer.")
    state: Literal["loading", "ready", "busy", "failed"]
    error: str = ""
    memory: int | None = Field(default=None, description="Resident bytes of the worker.")
    device: str = ""
    sample_prompts: list[ChatMessage] = []
    idle_seconds: float = 0.0


class GenerateRequest(StrictModel):
    """Let one voice go on with a conversation."""

    messages: list[ChatMessage] = Field(min_length=1)
    voice: str = Field(default="", description="'base' or a run id; empty: the newest adapter.")
    sampling: Sampling = Sampling()


class GenerateChunk(StrictModel):
    """A piece of an answer; the last one has ``finish`` and the figures."""

    text: str = ""
    finish: Literal["stop", "length", "cancelled", "error"] | None = None
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None


class BatchRequest(StrictModel):
    """Many conversations answered at once by one voice."""

    conversations: list[list[ChatMessage]] = Field(min_length=1, max_length=10_000)
    voice: str = ""
    sampling: Sampling = Sampling()


class BatchReply(StrictModel):
    """One answer for each conversation, in order."""

    texts: list[str]
    seconds: float
