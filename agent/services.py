"""What the routes work with: the parts of one running agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from .paths import Home
from .settings import Settings

if TYPE_CHECKING:
    from .chat.sessions import ChatSessions
    from .estimating import Estimator
    from .hardware.monitor import HardwareMonitor
    from .hosts.hosts import Hosts
    from .predicting.predictors import Predictors
    from .problems import Problems
    from .runs.manager import RunManager
    from .store import Store
    from .stream import Stream


@dataclass
class Services:
    """One agent's parts, made at start and handed to every route.

    ``started_at`` is in Unix seconds; ``tcp_port`` is that of the OpenAI API, when it is open.
    """

    home: Home
    settings: Settings
    store: Store
    stream: Stream
    runs: RunManager
    hosts: Hosts
    hardware: HardwareMonitor
    chats: ChatSessions
    predictors: Predictors
    estimator: Estimator
    problems: Problems
    started_at: float
    tcp_port: int | None = None


def services(request: Request) -> Services:
    """The agent's parts, for ``Depends``."""
    found: Services = request.app.state.services
    return found
