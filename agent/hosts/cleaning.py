"""Deleting from a host what is ours."""

from __future__ import annotations

from collections.abc import Sequence

from .ssh_host import SshHost

_OURS = ("runs", "bundles", "trees", "blobs", "hub", "datasets", "wheels", "venv", "chats")


def clean_host(host: SshHost, runs: Sequence[str]) -> None:
    """Delete runs there, and everything else of ours unless others have runs there too.

    Args:
        host: which.
        runs: ids of the runs.

    Raises:
        HostUnreachableError, HostError: it could not be done.
    """
    session = host.link.ready()
    root = str(session.hello["folder"])
    ask = session.channel.ask
    ask("remove", paths=[f"{root}/runs/{run}" for run in runs], seconds=600)
    if ask("remove_empty", path=f"{root}/runs")["gone"]:
        ask("remove", paths=[f"{root}/{name}" for name in _OURS], seconds=600)
        ask("remove_empty", path=root)
