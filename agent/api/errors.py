"""How the API refuses: a status and one clear sentence."""

from __future__ import annotations

from typing import Any

from luthier.trainers.errors import LuthierError

from ..models import ErrorReply


class ApiError(LuthierError):
    """A request that cannot be carried out. ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


def replies(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented refusals of a route, for its ``responses`` argument."""
    return {status: {"model": ErrorReply} for status in statuses}
