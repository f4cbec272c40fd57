"""What a person writes to name a host: ``user@address:port``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import HostError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_USER = re.compile(r"[^\s@:/'\"\\-][^\s@:/'\"\\]*")
# Names in ~/.ssh/config may have letters of any alphabet.
_ADDRESS = re.compile(r"\w[\w.%-]*")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?")


@dataclass(frozen=True)
class Target:
    """An account on a host; what is silent comes from ``~/.ssh/config``."""

    address: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address and self.port else self.address
        user = f"{self.user}@" if self.user else ""
        return f"{user}{address}{f':{self.port}' if self.port else ''}"


def parse_target(text: str) -> Target:
    """Read ``[user@]address[:port]``; an IPv6 address with a port stands in square brackets.

    Raises:
        HostError: it is none, with what is wrong.
    """
    user, separator, rest = text.strip().rpartition("@")
    if separator and not _USER.fullmatch(user):
        raise _wrong(text, f"{user!r} is no user name")
    address, port = _split(rest, text)
    pattern = _IPV6 if ":" in address else _ADDRESS
    if not pattern.fullmatch(address):
        raise _wrong(text, f"{address!r} is no address")
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _wrong(text, f"{port!r} is no port; ports are 1 to 65535")
    return Target(address, user or None, int(port) if port else None)


def check_name(name: str) -> str:
    """A host's name, when it may be one.

    Raises:
        HostError: it may not.
    """
    if name == "local":
        raise HostError("local is the name of the agent's own host.", hint="Choose another name.")
    if not _NAME.fullmatch(name):
        raise HostError(
            f"{name!r} cannot be a host's name.",
            hint="Use letters, digits, dots and hyphens, at most 64.",
        )
    return name


def _split(rest: str, text: str) -> tuple[str, str | None]:
    if rest.startswith("["):
        address, closed, port = rest[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise _wrong(text, "the square bracket does not end before the port")
        return address, port[1:] if port else None
    if rest.count(":") == 1:
        address, _, port = rest.partition(":")
        return address, port
    return rest, None


def _wrong(text: str, why: str) -> HostError:
    return HostError(f"{text!r}: {why}.", hint="Write user@address, or user@address:port.")
