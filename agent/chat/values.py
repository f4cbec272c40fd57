"""Changing how tokens are chosen, one value after the other, as people type them."""

from __future__ import annotations

from pydantic import ValidationError

from luthier.trainers.errors import LuthierError

from ..models import Sampling

NAMES = ("temperature", "top_p", "top_k", "repetition_penalty", "max_new_tokens", "seed")
"""The values that can be changed."""


def with_value(sampling: Sampling, name: str, value: str) -> Sampling:
    """The same with another value; an empty one, ``none`` or ``default`` takes it back.

    Raises:
        LuthierError: there is no such value, or it is not in its range.
    """
    if name not in NAMES:
        raise LuthierError(f"{name}: choose one of {', '.join(NAMES)}.")
    changed = sampling.model_dump(exclude={name})
    if value not in ("", "none", "default"):
        changed[name] = value
    try:
        return Sampling.model_validate(changed)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise LuthierError(f"{name} {value}: {reason[:1].lower()}{reason[1:]}.") from error


def with_setting(sampling: Sampling, name: str) -> Sampling:
    """A ready set of values in place of single ones; the length of answers stays.

    Raises:
        LuthierError: there is no such set.
    """
    try:
        return Sampling.model_validate({"setting": name, "max_new_tokens": sampling.max_new_tokens})
    except ValidationError as error:
        raise LuthierError(f"{name}: choose deterministic, balanced or creative.") from error
