"""What the routes work with: the parts of one running agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from .paths import Home
from .settings import Settings

if TYPE_CHECKING:
    from .chat.sessions import ChatSessions
    from .hardware.monitor import HardwareMonitor
    from .runs.manager import RunManager
    from .store import Store
    from .stream import Stream


@dataclass
class Services:
    """One agent's parts, made at start and handed to every route."""

    home: Home
    settings: Settings
    store: Store
    stream: Stream
    runs: RunManager
    hardware: HardwareMonitor
    chats: ChatSessions


def services(request: Request) -> Services:
    """The agent's parts, for ``Depends``."""
    found: Services = request.app.state.services
    return found
