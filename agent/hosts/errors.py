"""What can go wrong between the agent and a host.

LuthierError
└── HostError                     the host cannot do what was asked
    ├── HostUnreachableError      no connection now; the same may work later
    │   └── DecisionNeededError   a person must say something first: trust a key, type a secret
    └── HostKeyChangedError       somebody else may be answering in its place
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


class DecisionNeededError(HostUnreachableError):
    """A person must decide or tell something before the host can be used.

    Attributes:
        kind: what is needed: whether to trust a host key, a key's passphrase, a password, or an
            answer that counts once, such as a code.
        what: the host, the key file or the account that it is for.
        fingerprint: of the host key, for that kind only.
        prompt: what the server asks, in its words; empty where it does not ask itself.
        shown: whether what is typed may be seen.
    """

    exit_code = 2

    def __init__(
        self,
        kind: Literal["host_key", "passphrase", "password", "answer"],
        what: str,
        message: str,
        *,
        fingerprint: str = "",
        prompt: str = "",
        shown: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.what = what
        self.fingerprint = fingerprint
        self.prompt = prompt
        self.shown = shown
