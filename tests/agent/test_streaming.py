"""The message stream: without gaps, whoever is slow, dead or killed."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from luthier.agent.client import Client
from luthier.agent.errors import UnavailableError
from luthier.agent.models import Message
from luthier.agent.states import RunState

if TYPE_CHECKING:
    from .conftest import RealAgent, Workshop


def _until_finished(messages: Iterable[Message], run_id: str) -> list[Message]:
    """The messages up to the one that says that the run is finished."""
    found = []
    for message in messages:
        found.append(message)
        mine = message.type == "run" and message.run_id == run_id
        if mine and RunState(message.data["state"]).finished:
            return found
    raise AssertionError("the stream has ended")


def _gapless(messages: list[Message]) -> bool:
    numbers = [message.sequence for message in messages]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _steps(messages: list[Message]) -> list[int]:
    return [
        event["step"]
        for message in messages
        if message.type == "events"
        for event in message.data["events"]
        if event["kind"] == "metrics"
    ]


def test_stream_tells_everything_in_order(client: Client, workshop: Workshop) -> None:
    since = client.status().sequence
    run = client.submit(workshop.spec({"steps": 30}))
    messages = _until_finished(client.stream(since), run.id)
    assert _gapless(messages)
    assert messages[0].sequence == since + 1
    states = [message.data["state"] for message in messages if message.type == "run"]
    assert [state for state, _ in itertools.groupby(states)] == [
        "queued",
        "starting",
        "running",
        "succeeded",
    ]
    assert _steps(messages) == list(range(1, 31))
    logs = [message.data for message in messages if message.type == "log"]
    assert logs[-1] == {"attempt": 1, "size": client.log(run.id).size}


def test_slow_and_dead_clients_hold_nobody_up(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    since = client.status().sequence
    # These ask for everything and read nothing.
    deaf = []
    for _ in range(5):
        connection = socket.socket(socket.AF_UNIX)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(str(real_agent.home.socket))
        connection.sendall(
            f"GET /v1/events?since={since} HTTP/1.1\r\nHost: luthier\r\n\r\n".encode()
        )
        deaf.append(connection)
    slow = client.stream(since)
    run = client.submit(workshop.spec({"steps": 200, "pace": 0, "metrics_per_step": 20}))
    first = next(slow)
    with Client(real_agent.home, start=False) as quick:
        fast = _until_finished(quick.stream(since), run.id)
    assert client.status().problems == []
    late = [first, *_until_finished(slow, run.id)]
    assert [message.sequence for message in late] == [message.sequence for message in fast]
    assert _steps(fast) == [step for step in range(1, 201) for _ in range(20)]
    for connection in deaf:
        connection.close()
    assert client.run(run.id).state is RunState.SUCCEEDED


def test_stream_goes_on_over_killed_agents(real_agent: RealAgent, workshop: Workshop) -> None:
    client = real_agent.start()
    since = client.status().sequence
    gates = [workshop.file(name) for name in ("one", "two")]
    hold = {"5": str(gates[0]), "10": str(gates[1])}
    run = client.submit(workshop.spec({"steps": 15, "hold": hold}))
    received: list[Message] = []

    def listen() -> None:
        with Client(real_agent.home, start=False) as listener:
            received.extend(_until_finished(listener.stream(since), run.id))

    thread = threading.Thread(target=listen)
    thread.start()
    for gate, step in zip(gates, (5, 10), strict=True):
        real_agent.reached(run.id, step)
        real_agent.kill()
        real_agent.start()
        gate.touch()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert _gapless(received)
    assert _steps(received) == list(range(1, 16))


def test_stream_of_an_agent_that_was_stopped_ends_and_starts_no_other(
    real_agent: RealAgent,
    client: Client,
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("luthier.agent.client._RETURN_SECONDS", 0.5)
    since = client.status().sequence
    run = client.submit(workshop.spec({"steps": 1}))
    real_agent.ended(run.id)
    with Client(real_agent.home, start=True) as other:
        stream = other.stream(since)
        _until_finished(stream, run.id)
        assert real_agent.terminate() == 0
        with pytest.raises(UnavailableError, match="was stopped"):
            list(stream)
    assert not real_agent.home.socket.exists()


def test_client_of_a_foreign_number_is_told_to_read_anew(client: Client) -> None:
    message = next(client.stream(10**12))
    assert message.type == "reset"
