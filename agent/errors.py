"""What can go wrong between a client and the agent.

LuthierError
└── AgentError              the request was not carried out
    ├── RefusedError        the agent said no, with one sentence why
    └── UnavailableError    no agent answers
        └── LostError       it went away in the middle of an answer
"""

from __future__ import annotations

from collections.abc import Sequence

from luthier.trainers.errors import LuthierError


class AgentError(LuthierError):
    """A request to the agent that was not carried out."""

    exit_code = 1


class RefusedError(AgentError):
    """The agent's refusal.

    Attributes:
        status: the HTTP status; 4xx is the asker's mistake, 5xx the agent's trouble.
        problems: every mistake, when there are several.
    """

    def __init__(self, status: int, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.problems = list(problems)
        self.exit_code = 2 if status < 500 else 1


class UnavailableError(AgentError):
    """No agent answers."""

    exit_code = 3


class LostError(UnavailableError):
    """The agent went away in the middle of an answer."""
