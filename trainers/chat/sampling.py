"""How tokens are chosen: the named settings and what they mean."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SettingName = Literal["deterministic", "balanced", "creative"]

# Temperature and top_p of each named setting; no temperature is greedy decoding.
SETTINGS: dict[SettingName, tuple[float | None, float | None]] = {
    "deterministic": (None, None),
    "balanced": (0.7, 0.9),
    "creative": (1.0, 0.95),
}


class Choice(BaseModel):
    """How the tokens of one answer are chosen, every value settled.

    Attributes:
        temperature: None is greedy: always the likeliest token, and no other value matters but
            the penalty and the lengths.
        top_p: only the likeliest tokens that together have this probability are drawn from.
        top_k: only this many of the likeliest tokens are drawn from; None or 0 for all.
        repetition_penalty: above 1 makes tokens that were already used less likely.
        max_new_tokens: the longest answer.
        seed: makes draws repeatable; None draws anew every time.
        stop: the answer ends before the first of these texts.
    """

    model_config = ConfigDict(extra="forbid")

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    max_new_tokens: int = 256
    seed: int | None = None
    stop: list[str] = []


def choose(
    setting: SettingName,
    *,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    repetition_penalty: float | None = None,
    max_new_tokens: int = 256,
    seed: int | None = None,
    stop: list[str] | None = None,
) -> Choice:
    """The named setting with the single values that win over it.

    A temperature of 0 is greedy. top_p, top_k and the seed do nothing in greedy decoding and are
    left out of it.
    """
    named_temperature, named_top_p = SETTINGS[setting]
    heat = named_temperature if temperature is None else temperature
    choice = Choice(
        repetition_penalty=repetition_penalty, max_new_tokens=max_new_tokens, stop=stop or []
    )
    if not heat:
        return choice
    nucleus = named_top_p if top_p is None else top_p
    return choice.model_copy(
        update={"temperature": heat, "top_p": nucleus, "top_k": top_k, "seed": seed}
    )
