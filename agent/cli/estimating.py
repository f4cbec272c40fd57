"""Asking the agent whether a spec file fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from luthier.trainers.errors import LuthierError
from luthier.trainers.spec.file import load_spec

from ..models import DeviceWish, EstimateReply, FitReply
from .invocation import Invocation


def ask_estimate(
    here: Invocation, spec: Path, overrides: Sequence[str], *, exact: bool, **wish: Any
) -> EstimateReply:
    """The estimate of a spec file. ``wish``: host, memory, kind, count, data."""
    text = _read(spec, overrides)
    doing = "Building the model without memory for it ..." if exact else "Estimating ..."
    with here.busy(doing):
        return here.client.estimate(
            text, exact=exact, source=str(spec), overrides=overrides, **_asked(**wish)
        )


def ask_fit(
    here: Invocation, spec: Path, overrides: Sequence[str], *, keep: Sequence[str], **wish: Any
) -> FitReply:
    """What Auto chooses for a spec file."""
    text = _read(spec, overrides)
    with here.busy("Finding what fits ..."):
        return here.client.fit(
            text, keep=keep, source=str(spec), overrides=overrides, **_asked(**wish)
        )


def _read(spec: Path, overrides: Sequence[str]) -> str:
    # Read here first: a mistake is told without an agent, with the line it stands on.
    load_spec(spec, overrides)
    return spec.read_text(encoding="utf-8")


def _asked(
    *,
    host: str | None,
    memory: float | None,
    kind: Literal["cpu", "cuda", "qaic"] | None,
    count: int | None,
    data: bool,
) -> dict[str, Any]:
    if memory is None and (kind or count):
        raise LuthierError(
            "--device and --count describe a card that is assumed.", hint="Add --memory GIB."
        )
    return {
        "host": host,
        "device": DeviceWish(memory=memory, kind=kind, count=count),
        "data": "measure" if data else "ignore",
    }
