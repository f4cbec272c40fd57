"""The link against a real agent that is killed, stopped and started again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from luthier.agent.models import Message
from luthier.agent.starting import agent_answers
from luthier.agent.states import RunState
from luthier.tui.link import Away, Connected, Link, News


class Listener:
    """Keeps what a link delivers, with the time of each bundle."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.times: list[float] = []
        self._lock = threading.Lock()

    def __call__(self, news: list[News]) -> None:
        with self._lock:
            self.times.append(time.monotonic())
            self.news += news

    def of(self, kind: type[Any]) -> list[Any]:
        with self._lock:
            return [each for each in self.news if isinstance(each, kind)]

    def steps(self) -> list[int]:
        """The step of every metrics event, in the order of arrival."""
        bundles = [each.data["events"] for each in self.of(Message) if each.type == "events"]
        found = [event for events in bundles for event in events]
        return [event["step"] for event in found if event["kind"] == "metrics"]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def link(real_agent: Any, listener: Listener) -> Iterator[Link]:
    found = Link(real_agent.home, listener)
    yield found
    found.close()


Wait = Callable[..., Any]


def test_it_starts_an_agent_when_there_is_none(
    real_agent: Any, link: Link, listener: Listener, wait: Wait
) -> None:
    link.start()
    wait(lambda: listener.of(Connected))
    assert agent_answers(real_agent.home)
    assert not listener.of(Away)


def test_a_killed_agent_comes_back_and_nothing_is_missing(
    real_agent: Any, workshop: Any, link: Link, listener: Listener, wait: Wait
) -> None:
    client = real_agent.start()
    link.start()
    wait(lambda: listener.of(Connected))
    run = client.submit(workshop.spec({"steps": 150, "pace": 0.02}))
    wait(lambda: len(listener.steps()) >= 20)
    real_agent.kill()
    away = wait(lambda: listener.of(Away))[0]
    assert not away.stopped
    # Nobody else starts one, so the link does.
    wait(lambda: len(listener.of(Connected)) == 2)
    real_agent.ended(run.id)
    wait(lambda: len(listener.steps()) >= 150)
    assert listener.steps() == list(range(1, 151))
    numbers = [each.sequence for each in listener.of(Message)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_a_stopped_agent_stays_stopped_until_somebody_starts_it(
    real_agent: Any, link: Link, listener: Listener, wait: Wait
) -> None:
    client = real_agent.start()
    link.start()
    wait(lambda: listener.of(Connected))
    client.shutdown()
    real_agent.process.wait(timeout=30)
    looks = wait(lambda: listener.of(Away), lambda found: len(found) >= 6)
    assert all(look.stopped for look in looks)
    assert not agent_answers(real_agent.home)
    link.start_agent()
    wait(lambda: len(listener.of(Connected)) == 2)


def test_a_restart_by_somebody_else_is_noticed(
    real_agent: Any, link: Link, listener: Listener, wait: Wait
) -> None:
    client = real_agent.start()
    link.start()
    wait(lambda: listener.of(Connected))
    client.shutdown()
    real_agent.process.wait(timeout=30)
    wait(lambda: listener.of(Away))
    real_agent.start()
    wait(lambda: len(listener.of(Connected)) == 2)


def test_many_messages_come_in_few_bundles(
    real_agent: Any, workshop: Any, link: Link, listener: Listener, wait: Wait
) -> None:
    client = real_agent.start()
    link.start()
    wait(lambda: listener.of(Connected))
    run = client.submit(workshop.spec({"steps": 100, "pace": 0.01, "metrics_per_step": 5}))
    assert real_agent.ended(run.id).state is RunState.SUCCEEDED
    wait(lambda: len(listener.steps()) >= 500)
    gaps = [later - sooner for sooner, later in pairwise(listener.times)]
    assert min(gaps) >= 0.24
