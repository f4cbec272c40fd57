"""What can go wrong between the agent and a host.

LuthierError
└── HostError                 the host cannot do what was asked
    ├── HostUnreachableError  no connection now; the same may work later
    ├── HostKeyChangedError   somebody else may be answering in its place
    └── DecisionNeededError   a person must say something first: a key, a passphrase, a password
"""

from __future__ import annotations

from typing import Literal

from luthier.trainers.errors import LuthierError


class HostError(LuthierError):
    """A host cannot do what was asked."""


class HostUnreachableError(HostError):
    """There is no connection to the host now."""

    exit_code = 1


class HostKeyChangedError(HostError):
    """The host shows another key than the one that is known."""


class DecisionNeededError(HostError):
    """A person must decide or tell something before the host can be used.

    Attributes:
        kind: what is needed: whether to trust a host key, a key's passphrase, a password.
        what: the host, the key file or the account that it is for.
        fingerprint: of the host key, for that kind only.
    """

    def __init__(
        self,
        kind: Literal["host_key", "passphrase", "password"],
        what: str,
        message: str,
        *,
        fingerprint: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.what = what
        self.fingerprint = fingerprint
