"""Logging in: the keys of the ssh-agent, key files, then what the server asks, or a password."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import DecisionNeededError, HostError
from .questions import Answer, answer_questions
from .secrets import Secrets
from .ssh_config import SshSettings

_log = logging.getLogger(__name__)


def log_in(transport: Any, settings: SshSettings, secrets: Secrets, answer: Answer) -> None:
    """Authenticate a transport whose host key was checked.

    Args:
        transport: which.
        settings: the host.
        secrets: what this person has told.
        answer: asks the person what the server asks.

    Raises:
        DecisionNeededError: a passphrase or password is needed.
        HostError: the host takes none of what there is.
        paramiko.SSHException: the connection broke.
    """
    from paramiko import AuthenticationException, BadAuthenticationType

    tried: list[str] = []
    locked: list[Path] = []
    allowed: set[str] = set()
    for name, key in _keys(settings, secrets, locked):
        tried.append(name)
        if key is None:
            continue
        try:
            more = transport.auth_publickey(settings.user, key)
        except BadAuthenticationType as error:
            allowed = set(error.allowed_types)
            break
        except AuthenticationException:
            if not transport.is_active():
                raise _refused(settings, tried) from None
            continue
        if not more:
            return
        allowed = set(more)
        break
    if locked and (not allowed or "publickey" in allowed):
        path = locked[0]
        raise DecisionNeededError(
            "passphrase", str(path), f"The key {path} is encrypted; its passphrase is needed."
        )
    _by_hand(transport, settings, secrets, answer, tried, allowed)


def _by_hand(
    transport: Any,
    settings: SshSettings,
    secrets: Secrets,
    answer: Answer,
    tried: list[str],
    allowed: set[str],
) -> None:
    """Log in with what a person types."""
    from paramiko import AuthenticationException, BadAuthenticationType

    if not allowed:
        # Only the server knows what it takes.
        try:
            transport.auth_none(settings.user)
        except BadAuthenticationType as error:
            allowed = set(error.allowed_types)
        except AuthenticationException:
            raise _refused(settings, tried) from None
        else:
            return
    needed = (
        f"{settings.account} takes none of the keys that there are ({_listed(tried)}); "
        "its password is needed."
    )
    if "keyboard-interactive" in allowed:
        more = answer_questions(transport, settings, secrets, answer, needed)
        if more is not None:
            allowed = set(more)
            if not allowed:
                return
    if "password" not in allowed:
        raise _refused(settings, tried)
    more = _with_password(transport, settings, secrets, answer, needed)
    if "keyboard-interactive" in more:
        more = answer_questions(transport, settings, secrets, answer, needed)
    if more or more is None:
        raise _refused(settings, tried)


def _with_password(
    transport: Any, settings: SshSettings, secrets: Secrets, answer: Answer, needed: str
) -> list[str]:
    """Give the password; what kinds of login the server wants besides."""
    from paramiko import AuthenticationException

    password = answer(DecisionNeededError("password", settings.account, needed))
    try:
        return list(transport.auth_password(settings.user, password, fallback=False))
    except AuthenticationException as error:
        secrets.forget("password", settings.account)
        raise DecisionNeededError(
            "password", settings.account, f"{settings.account} refuses that password."
        ) from error


def _keys(settings: SshSettings, secrets: Secrets, locked: list[Path]) -> Iterator[tuple[str, Any]]:
    """Keys with their names, None for one that cannot be used, which must not hide the others.

    ``locked`` takes the files whose passphrase is not known.
    """
    files = [path for path in settings.identities if path.is_file()]
    held = _agent_keys(secrets.agent_socket or settings.agent)
    public = {_public_part(path): path for path in files}
    for key in held:
        if key.get_base64() in public or not settings.only_identities:
            yield f"ssh-agent: {key.comment or key.get_name()}", key
    known = {key.get_base64() for key in held}
    for path in files:
        if _public_part(path) in known:
            continue
        try:
            key = _load(path, secrets)
        except _UnusableKeyError as error:
            yield f"{path} (which cannot be used: {error})", None
            continue
        if key is None:
            locked.append(path)
        else:
            yield str(path), key


def _load(path: Path, secrets: Secrets) -> Any:
    """The key; None when it is encrypted and its passphrase is not known."""
    from paramiko import PKey, SSHException

    passphrase = secrets.get("passphrase", str(path))
    try:
        return PKey.from_path(path, passphrase.encode() if passphrase else None)
    except TypeError:
        # What the cryptography library raises for an encrypted key without a passphrase.
        return None
    except ValueError as error:
        if passphrase is None:
            raise _UnusableKeyError(_reason(error)) from error
        secrets.forget("passphrase", str(path))
        raise DecisionNeededError(
            "passphrase", str(path), f"That passphrase does not open {path}."
        ) from error
    except (SSHException, OSError) as error:
        raise _UnusableKeyError(_reason(error)) from error


class _UnusableKeyError(Exception):
    """A file that should hold a key holds none that can be used here."""


def _reason(error: Exception) -> str:
    """The first sentence of what a library says."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).partition(". ")[0].rstrip(".")


def _agent_keys(path: str | None) -> list[Any]:
    """The keys of the ssh-agent behind that socket; none when it is gone."""
    if path is None:
        return []
    from paramiko import SSHException
    from paramiko.agent import AgentSSH

    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    agent = AgentSSH()
    try:
        connection.connect(path)
        agent._connect(connection)
        return list(agent.get_keys())
    except (OSError, SSHException) as error:
        _log.info("the ssh-agent at %s is not asked: %s", path, error)
        connection.close()
        return []


def _public_part(path: Path) -> str:
    """The public key beside a key file, without which an agent's keys cannot be told apart."""
    try:
        return path.with_name(path.name + ".pub").read_text(encoding="utf-8").split()[1]
    except (OSError, UnicodeDecodeError, IndexError):
        return str(path)


def _refused(settings: SshSettings, tried: list[str]) -> HostError:
    return HostError(
        f"{settings.account} refuses the login; tried were {_listed(tried)}.",
        hint="Put your public key there with: ssh-copy-id, or name another key in ~/.ssh/config.",
    )


def _listed(tried: list[str]) -> str:
    return ", ".join(tried) or "none"
