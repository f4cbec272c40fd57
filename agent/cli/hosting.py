"""Reaching a host from the command line: what a person must decide or type is asked here."""

from __future__ import annotations

import os
from collections.abc import Collection

import typer

from luthier.trainers.errors import LuthierError

from ..models import HostConnection, HostNeed
from .invocation import Invocation

_MOST_QUESTIONS = 20


def reach(here: Invocation, name: str, accept: Collection[str] = ()) -> HostConnection:
    """Connect the agent to a host, asking what is needed.

    Args:
        here: the call.
        name: the host.
        accept: fingerprints of host keys that were accepted beforehand.

    Raises:
        LuthierError: it cannot be reached, or nobody is there who could be asked.
    """
    told: dict[str, dict[str, str]] = {}
    accepted = list(accept)
    for _ in range(_MOST_QUESTIONS):
        with here.busy(f"Connecting to {name} ..."):
            answer = here.client.hosts.connect(
                name,
                accept=accepted,
                # The kind of a need is one of the model's, which mypy loses in a dictionary.
                secrets=told,  # type: ignore[arg-type]
                agent_socket=os.environ.get("SSH_AUTH_SOCK"),
            )
        if answer.need is None:
            return answer
        if answer.need.kind == "host_key":
            accepted.append(_accepted(here, answer.need))
        else:
            secret = _secret(here, answer.need)
            told = {answer.need.kind: {answer.need.what: secret}}
    raise LuthierError(f"{name}: too many questions without a connection.")


def _accepted(here: Invocation, need: HostNeed) -> str:
    if not here.terminal:
        raise LuthierError(need.message, hint=f"Accept it with: --accept {need.fingerprint}")
    here.say(need.message)
    if not typer.confirm("Do you trust this key?"):
        raise LuthierError(f"{need.what} was not trusted; nothing was sent to it.")
    return need.fingerprint


def _secret(here: Invocation, need: HostNeed) -> str:
    if not here.terminal:
        raise LuthierError(
            need.message,
            hint="Call this on a terminal."
            if need.kind == "answer"
            else "Use a key that the ssh-agent holds, or call this on a terminal.",
        )
    # What the server asks stands before what is typed.
    here.say(need.message.removesuffix(need.prompt).rstrip())
    word = "Passphrase" if need.kind == "passphrase" else "Password"
    secret: str = typer.prompt(
        need.prompt.removesuffix(":") or f"{word} for {need.what}", hide_input=not need.shown
    )
    return secret
