"""Hosts, their devices, and what is asked while one is connected."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import StrictModel


class Device(StrictModel):
    """One accelerator, or the CPU as a device. None where the hardware does not tell."""

    id: str = Field(description="cpu, cuda:0, qaic:3, ...")
    kind: Literal["cpu", "cuda", "qaic"]
    name: str
    memory_total: int | None = Field(default=None, description="Bytes.")
    memory_used: int | None = Field(default=None, description="Bytes, all processes together.")
    utilisation: float | None = Field(default=None, description="Percent.")
    temperature: float | None = Field(default=None, description="Degrees Celsius.")
    power: float | None = Field(default=None, description="Watts.")
    power_limit: float | None = Field(default=None, description="Watts.")
    ready: bool = True
    detail: dict[str, str | float | int | None] = {}
    runs: list[str] = Field(default=[], description="Runs that hold the device.")
    guests: list[str] = Field(
        default=[], description="Chats and predictions on it, which make room for runs."
    )
    others: list[str] = Field(
        default=[], description="Processes of other users on it, such as: anna (pid 12, 300 MiB)."
    )
    slots: int = Field(default=1, description="Runs that may hold it at the same time.")


class HostReport(StrictModel):
    """A host's hardware right now."""

    host: str
    t: float
    system: str
    python: str
    cpu_name: str
    cpu_cores: int
    cpu_percent: float
    load: float
    memory_total: int
    memory_available: int
    disk_total: int
    disk_free: int
    devices: list[Device]
    problems: list[str] = []


class HardwareSample(StrictModel):
    """What the charts of a run need, once every sampling interval."""

    t: float
    cpu_percent: float
    memory_used: int
    devices: list[Device]


class HostInfo(StrictModel):
    """A host that runs can execute on."""

    name: str
    target: str = Field(description="user@address:port, or a name in ~/.ssh/config; empty: here.")
    folder: str = Field(description="Where everything of ours lies there.")
    python: str = Field(default="", description="The Python that trains; empty before set-up.")
    offline: bool = Field(default=False, description="It has no way to the hub.")
    connected: bool = False
    unreachable_since: float | None = None
    trouble: str = Field(default="", description="Why it cannot be reached or used.")
    runs: int = Field(default=0, description="Active runs on it.")
    price_per_hour: float | None = Field(
        default=None, description="What an hour of one of its devices costs."
    )
    currency: str = Field(default="USD", description="Of that price.")


class HostRequest(StrictModel):
    """A host to be added; adding it again changes it."""

    target: str = Field(description="user@address:port, or a name in ~/.ssh/config.")
    folder: str | None = Field(default=None, description="Silent: ~/.luthier.")
    offline: bool | None = Field(default=None, description="The host has no way to the hub.")
    cpu_slots: int | None = Field(default=None, ge=1, description="Runs on its CPU at once.")
    price_per_hour: float | None = Field(
        default=None, ge=0, description="What an hour of one of its devices costs."
    )
    currency: str | None = Field(default=None, min_length=1, description="Silent: USD.")


class HostAnswers(StrictModel):
    """What a person has decided or typed; kept in memory only."""

    accept: list[str] = Field(default=[], description="Fingerprints of host keys to trust.")
    secrets: dict[Literal["passphrase", "password", "answer"], dict[str, str]] = Field(
        default={}, description="Secrets by what they are for.", repr=False
    )
    agent_socket: str | None = Field(default=None, description="The ssh-agent to ask.")


class HostNeed(StrictModel):
    """What a person must decide or type before a host can be used."""

    kind: Literal["host_key", "passphrase", "password", "answer"] = Field(
        description="answer: what the server asks, such as a code; it counts once."
    )
    what: str = Field(description="The host, key file or account that it is for.")
    message: str
    fingerprint: str = ""
    prompt: str = Field(default="", description="What the server asks, in its words.")
    shown: bool = Field(default=False, description="Whether what is typed may be seen.")


class HostConnection(StrictModel):
    """How an attempt to connect went: connected, or what is needed first."""

    host: HostInfo
    need: HostNeed | None = None


class HostCheck(StrictModel):
    """One line of a host's preflight."""

    name: str
    level: Literal["green", "yellow", "red"]
    found: str
    remedy: str = ""


class SetupRequest(StrictModel):
    """How a host gets a Python that can train."""

    python: str | None = Field(
        default=None, description="One that is there; silent: make a virtual environment."
    )
    wheels: str | None = Field(
        default=None, description="Folder of wheels here, for a host without a way out."
    )


class SetupLine(StrictModel):
    """A line of a set-up as it goes; the last one has ``ended``."""

    text: str = ""
    ended: bool = False
    error: str = ""
