"""What a client can ask about hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal
from urllib.parse import quote

from pydantic import TypeAdapter

from .connection import Connection
from .models import (
    FetchReply,
    FetchRequest,
    HostAnswers,
    HostCheck,
    HostConnection,
    HostInfo,
    HostReport,
    HostRequest,
    SetupLine,
    SetupRequest,
)
from .sse import decode_events

Secrets = Mapping[Literal["passphrase", "password"], Mapping[str, str]]


class HostClient:
    """Requests about hosts; they raise as those of Client do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[HostInfo]:
        """The hosts, the agent's own first."""
        response = self._connection.request("GET", "/v1/hosts")
        return TypeAdapter(list[HostInfo]).validate_json(response.content)

    def get(self, name: str) -> HostInfo:
        """One host."""
        response = self._connection.request("GET", _path(name))
        return HostInfo.model_validate_json(response.content)

    def add(
        self,
        name: str,
        target: str,
        *,
        folder: str | None = None,
        offline: bool | None = None,
        cpu_slots: int | None = None,
    ) -> HostInfo:
        """Add a host or change one; nothing is connected yet."""
        body = HostRequest(target=target, folder=folder, offline=offline, cpu_slots=cpu_slots)
        response = self._connection.request("PUT", _path(name), json=body.model_dump())
        return HostInfo.model_validate_json(response.content)

    def connect(
        self,
        name: str,
        *,
        accept: Sequence[str] = (),
        secrets: Secrets | None = None,
        agent_socket: str | None = None,
    ) -> HostConnection:
        """Connect now, or learn what a person must decide or type first.

        Args:
            name: which host.
            accept: fingerprints of host keys to trust from now on.
            secrets: passphrases by key file and passwords by account; kept in memory only.
            agent_socket: the ssh-agent to ask.
        """
        body = HostAnswers.model_validate(
            {"accept": list(accept), "secrets": secrets or {}, "agent_socket": agent_socket}
        )
        response = self._connection.request(
            "POST", _path(name, "connect"), json=body.model_dump(), timeout=None
        )
        return HostConnection.model_validate_json(response.content)

    def check(self, name: str) -> list[HostCheck]:
        """Look at everything that a run there needs."""
        response = self._connection.request("POST", _path(name, "check"), timeout=None)
        return TypeAdapter(list[HostCheck]).validate_json(response.content)

    def hardware(self, name: str) -> HostReport:
        """The hardware of a host now."""
        response = self._connection.request("GET", "/v1/hardware", params={"host": name})
        return HostReport.model_validate_json(response.content)

    def set_up(
        self, name: str, *, python: str | None = None, wheels: str | None = None
    ) -> Iterator[SetupLine]:
        """Give a host a Python that can train; yields how it goes, the end last."""
        body = SetupRequest(python=python, wheels=wheels)
        with self._connection.opened(
            "POST", _path(name, "setup"), json=body.model_dump(), timeout=None, stream=True
        ) as response:
            for event in decode_events(response.iter_lines()):
                yield SetupLine.model_validate_json(event.data)

    def remove(self, name: str, *, clean: bool = True, force: bool = False) -> None:
        """Forget a host; with ``clean`` delete what lies there, with ``force`` give up its runs."""
        params = {"clean": clean, "force": force}
        self._connection.request("DELETE", _path(name), params=params, timeout=None)

    def fetch(self, run: str, patterns: Sequence[str] = ()) -> list[str]:
        """Bring files of a run here from its host; their paths within the run folder."""
        body = FetchRequest(patterns=list(patterns)) if patterns else FetchRequest()
        response = self._connection.request(
            "POST", f"/v1/runs/{quote(run, safe='')}/fetch", json=body.model_dump(), timeout=None
        )
        return FetchReply.model_validate_json(response.content).files


def _path(name: str, *rest: str) -> str:
    return "/v1/hosts/" + "/".join(quote(part, safe="") for part in (name, *rest))
