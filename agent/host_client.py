"""What a client can ask about hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal
from urllib.parse import quote

from pydantic import TypeAdapter

from luthier.trainers.errors import LuthierError

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

Secrets = Mapping[Literal["passphrase", "password", "answer"], Mapping[str, str]]


class HostClient:
    """Requests about hosts; they raise as those of Client do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[HostInfo]:
        """The hosts, the agent's own first."""
        return self._connection.get_all("/v1/hosts", HostInfo)

    def get(self, name: str) -> HostInfo:
        """One host."""
        return self._connection.get(_path(name), HostInfo)

    def add(
        self,
        name: str,
        target: str,
        *,
        folder: str | None = None,
        offline: bool | None = None,
        cpu_slots: int | None = None,
        price_per_hour: float | None = None,
        currency: str | None = None,
    ) -> HostInfo:
        """Add a host or change one; nothing is connected yet."""
        body = HostRequest(
            target=target,
            folder=folder,
            offline=offline,
            cpu_slots=cpu_slots,
            price_per_hour=price_per_hour,
            currency=currency,
        )
        return self._connection.send("PUT", _path(name), HostInfo, body.model_dump())

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
            secrets: passphrases by key file, passwords and answers by account; passphrases and
                passwords are kept in memory only, answers not at all.
            agent_socket: the ssh-agent to ask.
        """
        body = HostAnswers.model_validate(
            {"accept": list(accept), "secrets": secrets or {}, "agent_socket": agent_socket}
        )
        path = _path(name, "connect")
        return self._connection.send("POST", path, HostConnection, body.model_dump(), timeout=None)

    def check(self, name: str) -> list[HostCheck]:
        """Look at everything that a run there needs."""
        response = self._connection.request("POST", _path(name, "check"), timeout=None)
        return TypeAdapter(list[HostCheck]).validate_json(response.content)

    def hardware(self, name: str) -> HostReport:
        """The hardware of a host now."""
        return self._connection.get("/v1/hardware", HostReport, {"host": name})

    def set_up(
        self, name: str, *, python: str | None = None, wheels: str | None = None
    ) -> Iterator[SetupLine]:
        """Give a host a Python that can train; yields how it goes, the end last."""
        body = SetupRequest(python=python, wheels=wheels)
        return self._connection.stream(_path(name, "setup"), SetupLine, body.model_dump())

    def remove(self, name: str, *, clean: bool = True, force: bool = False) -> None:
        """Forget a host; with ``clean`` delete what lies there, with ``force`` give up its runs."""
        params = {"clean": clean, "force": force}
        self._connection.request("DELETE", _path(name), params=params, timeout=None)

    def fetch(self, run: str, patterns: Sequence[str] = ()) -> list[str]:
        """Bring files of a run here from its host; their paths within the run folder."""
        body = FetchRequest(patterns=list(patterns)) if patterns else FetchRequest()
        path = f"/v1/runs/{quote(run, safe='')}/fetch"
        reply = self._connection.send("POST", path, FetchReply, body.model_dump(), timeout=None)
        return reply.files


def _path(name: str, *rest: str) -> str:
    if not name:
        raise LuthierError("A host's name cannot be empty.", hint="List them: luthier host list")
    return "/v1/hosts/" + "/".join(quote(part, safe="") for part in (name, *rest))
