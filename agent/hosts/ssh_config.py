"""How OpenSSH would reach a host: ``ssh -G`` tells, with Include, Match and every token."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import HostError
from .target import Target, parse_target

_SECONDS = 20.0
_NONE = ("", "none")


@dataclass(frozen=True)
class SshSettings:
    """What counts for one connection.

    Attributes:
        name: what the host key is filed under: HostKeyAlias, or the address.
        identities: key files, in the order in which they are tried.
        only_identities: keys of the ssh-agent count only when their file is among them.
        agent: socket of the ssh-agent; None when there is none or it shall not be asked.
        known_hosts: files of known host keys.
        jumps: hosts to go through, the first one first.
        proxy_command: a command whose standard streams are the connection.
    """

    address: str
    port: int
    user: str
    name: str
    identities: tuple[Path, ...] = ()
    only_identities: bool = False
    agent: str | None = None
    known_hosts: tuple[Path, ...] = ()
    jumps: tuple[Target, ...] = ()
    proxy_command: str | None = None

    @property
    def account(self) -> str:
        """The account, for people."""
        return f"{self.user}@{self.address}" + (f":{self.port}" if self.port != 22 else "")

    @property
    def key_name(self) -> str:
        """How known_hosts files call the host."""
        return self.name if self.port == 22 else f"[{self.name}]:{self.port}"


def ssh_options() -> list[str]:
    """Options for ``ssh`` so that it reads the configuration of HOME, which may be set."""
    if Path.home() == Path(pwd.getpwuid(os.getuid()).pw_dir):
        return []
    config = Path.home() / ".ssh" / "config"
    return ["-F", str(config) if config.exists() else "none"]


def ssh_command(target: Target, known_hosts: Sequence[Path]) -> list[str]:
    """The ``ssh`` that opens a shell there.

    Args:
        target: where.
        known_hosts: files of known host keys, the first of which takes new ones.
    """
    files = " ".join(f'"{path}"' for path in known_hosts)
    command = ["ssh", *ssh_options(), "-o", f"UserKnownHostsFile={files}"]
    if ssh_options():
        # Left to itself it would look for keys in the account's home.
        found = [path for path in ssh_settings(target).identities if path.is_file()]
        command += [part for path in found for part in ("-i", str(path))]
    command += ["-l", target.user] if target.user else []
    command += ["-p", str(target.port)] if target.port else []
    return [*command, "--", target.address]


def ssh_settings(target: Target) -> SshSettings:
    """Resolve a target with the person's OpenSSH configuration.

    Raises:
        HostError: there is no ``ssh`` here, or it refuses the configuration; with its words.
    """
    command = ["ssh", *ssh_options(), "-G"]
    command += ["-l", target.user] if target.user else []
    command += ["-p", str(target.port)] if target.port else []
    try:
        done = subprocess.run(
            [*command, "--", target.address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise HostError(
            "OpenSSH's ssh is not installed here; it reads ~/.ssh/config.",
            hint="Install it: apt install openssh-client",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise HostError(
            f"ssh -G {target.address} did not answer within {_SECONDS:.0f} seconds.",
            hint="A Match exec in ~/.ssh/config may hang.",
        ) from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise HostError(
            f"ssh refuses its configuration for {target.address}: {said[0] if said else 'silent'}.",
            hint="Mend ~/.ssh/config.",
        )
    return _settings(target, _values(done.stdout))


def _values(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.lower(), []).append(value.strip())
    return found


def _settings(target: Target, values: dict[str, list[str]]) -> SshSettings:
    def one(key: str) -> str:
        return values.get(key, [""])[0]

    address, user, port = one("hostname") or target.address, one("user"), int(one("port") or 22)
    alias = one("hostkeyalias")
    settings = SshSettings(
        address=address,
        port=port,
        user=user,
        name=alias if alias not in _NONE else address,
        only_identities=one("identitiesonly") == "yes",
        agent=_agent(one("identityagent")),
        known_hosts=_files(one("userknownhostsfile"), one("globalknownhostsfile")),
        jumps=_jumps(one("proxyjump")),
    )
    tokens = {"h": address, "p": str(port), "r": user, "n": target.address, "%": "%"}
    tokens |= {"d": str(Path.home()), "u": pwd.getpwuid(os.getuid()).pw_name}
    identities = tuple(_home(_expand(each, tokens)) for each in values.get("identityfile", []))
    command = one("proxycommand")
    proxy = None if command in _NONE else _expand(command, tokens)
    return replace(settings, identities=identities, proxy_command=proxy)


def _agent(value: str) -> str | None:
    if value == "none":
        return None
    if value in ("", "SSH_AUTH_SOCK"):
        return os.environ.get("SSH_AUTH_SOCK") or None
    if value.startswith("$"):
        return os.environ.get(value[1:].strip("{}")) or None
    return str(_home(value))


def _files(*lists: str) -> tuple[Path, ...]:
    names = [name for each in lists for name in shlex.split(each) if name not in _NONE]
    return tuple(_home(name) for name in names)


def _jumps(value: str) -> tuple[Target, ...]:
    if value in _NONE:
        return ()
    return tuple(parse_target(part.removeprefix("ssh://")) for part in value.split(","))


def _home(name: str) -> Path:
    """The path, with ssh's home of the account replaced by HOME, which may be set."""
    path, account = Path(name).expanduser(), Path(pwd.getpwuid(os.getuid()).pw_dir)
    return Path.home() / path.relative_to(account) if path.is_relative_to(account) else path


def _expand(value: str, tokens: dict[str, str]) -> str:
    pieces = value.split("%")
    text = pieces[0]
    rest = iter(pieces[1:])
    for piece in rest:
        if piece == "":
            # Two signs in a row stand for one.
            text += "%" + next(rest, "")
        else:
            text += tokens.get(piece[0], f"%{piece[0]}") + piece[1:]
    return text
