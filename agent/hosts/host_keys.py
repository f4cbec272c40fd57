"""Whether a host is the one that it was: known_hosts files, read as OpenSSH does."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .errors import DecisionNeededError, HostKeyChangedError
from .ssh_config import SshSettings

_RSA = ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]


class KnownHosts:
    """The keys that this person has accepted, here or with ssh.

    Args:
        own: the file that accepted keys are added to.
        accepted: fingerprints that the person has just agreed to.
    """

    def __init__(self, own: Path, accepted: Collection[str] = ()) -> None:
        self._own = own
        self._accepted = frozenset(accepted)

    def preferred(self, settings: SshSettings, offered: Sequence[str]) -> list[str]:
        """The key algorithms to ask for, those of known keys first.

        Args:
            settings: the host.
            offered: every algorithm that there is.
        """
        wanted: list[str] = []
        for kind in self._known(settings):
            wanted += _RSA if kind == "ssh-rsa" else [kind]
        first = [name for name in wanted if name in offered]
        return [*first, *(name for name in offered if name not in first)]

    def check(self, settings: SshSettings, key: Any) -> None:
        """Return when the key is known, or was just accepted, which is then written down.

        Raises:
            HostKeyChangedError: another key of this kind is known.
            DecisionNeededError: the host is unknown.
            OSError: the accepted key cannot be written.
        """
        known = self._known(settings).get(key.get_name(), [])
        if key.asbytes() in known:
            return
        print_ = key.fingerprint
        if known:
            raise HostKeyChangedError(
                f"{settings.account} shows another host key than before ({key.get_name()} "
                f"{print_}): somebody may be answering in its place, or it was installed anew.",
                hint="Ask its administrator for the fingerprint; if it is right, forget the old "
                f"key with: ssh-keygen -R '{settings.key_name}' (and -f {self._own} for keys "
                "accepted here).",
            )
        if print_ not in self._accepted:
            raise DecisionNeededError(
                "host_key",
                settings.account,
                f"{settings.account} is unknown; its host key is {key.get_name()} {print_}.",
                fingerprint=print_,
                hint="Compare the fingerprint with what its administrator says, then accept it.",
            )
        self._own.parent.mkdir(parents=True, exist_ok=True)
        line = f"{settings.key_name} {key.get_name()} {key.get_base64()}\n"
        with self._own.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _known(self, settings: SshSettings) -> dict[str, list[bytes]]:
        """Known keys of the host by kind."""
        from paramiko.hostkeys import HostKeyEntry

        found: dict[str, list[bytes]] = {}
        for path in (self._own, *settings.known_hosts):
            for number, line in enumerate(_lines(path), start=1):
                entry = HostKeyEntry.from_line(line, number)
                if entry and entry.key and _is_meant(settings.key_name, entry.hostnames):
                    found.setdefault(entry.key.get_name(), []).append(entry.key.asbytes())
        return found


def _lines(path: Path) -> list[str]:
    """Its lines with keys; markers such as @revoked vouch for nobody."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, PermissionError):
        return []
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and line[0] not in "#@"]


def _is_meant(name: str, patterns: Sequence[str]) -> bool:
    from paramiko import HostKeys

    meant = False
    for pattern in patterns:
        if pattern.startswith("|1|"):
            meant = meant or HostKeys.hash_host(name, pattern) == pattern
        elif pattern.startswith("!"):
            if _fits(name, pattern[1:]):
                return False
        else:
            meant = meant or _fits(name, pattern)
    return meant


def _fits(name: str, pattern: str) -> bool:
    # In known_hosts square brackets are part of the name, not a set of letters.
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))
