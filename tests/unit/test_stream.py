"""No subscriber ever sees a gap or a message twice, whatever is published when."""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.agent import stream as stream_module
from luthier.agent.models import Message
from luthier.agent.store import Store, messages
from luthier.agent.stream import Stream


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "luthier.db")
    yield opened
    opened.close()


def append(store: Store, count: int = 1) -> list[Message]:
    return [store.append("log", "r", {"n": n}) for n in range(count)]


async def take(subscription: AsyncGenerator[Message, None], count: int) -> list[int]:
    """The next numbers, fewer when the subscription ends."""

    async def collect() -> list[int]:
        found = []
        async for message in subscription:
            found.append(message.sequence)
            if len(found) == count:
                break
        return found

    return await asyncio.wait_for(collect(), 30)


def run(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(scenario())


def test_a_subscriber_gets_what_is_stored_and_then_what_comes(store: Store) -> None:
    async def scenario() -> None:
        append(store, 700)
        stream = Stream(store)
        subscription = stream.subscribe(3)
        assert await take(subscription, 697) == list(range(4, 701))
        stream.publish(append(store, 2))
        assert await take(stream.subscribe(699), 3) == [700, 701, 702]
        stream.publish([None])

    run(scenario)


def test_a_waiting_subscriber_is_woken(store: Store) -> None:
    async def scenario() -> None:
        stream = Stream(store)
        waiting = asyncio.create_task(take(stream.subscribe(0), 2))
        for _ in range(2):
            await asyncio.sleep(0)
            stream.publish(append(store))
        assert await waiting == [1, 2]

    run(scenario)


def test_what_is_published_while_the_store_is_read_still_wakes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = store.messages

    async def scenario() -> None:
        stream = Stream(store)
        append(store)
        loop = asyncio.get_running_loop()

        def read_then_append(since: int) -> list[Message]:
            found = read(since)
            loop.call_soon_threadsafe(stream.publish, append(store))
            return found

        monkeypatch.setattr(store, "messages", read_then_append)
        assert await take(stream.subscribe(1), 1) == [2]

    run(scenario)


def test_closing_ends_every_subscription(store: Store) -> None:
    async def scenario() -> None:
        stream = Stream(store)
        stream.publish(append(store))
        waiting = [asyncio.create_task(take(stream.subscribe(0), 99)) for _ in range(3)]
        await asyncio.sleep(0)
        stream.close()
        assert all(len(found) <= 1 for found in await asyncio.gather(*waiting))

    run(scenario)


def test_a_subscriber_that_sleeps_holds_up_nobody_and_no_memory(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "RECENT_MESSAGES", 10)

    async def scenario() -> None:
        stream = Stream(store)
        sleeper = stream.subscribe(0)
        stream.publish(append(store))
        assert await take(sleeper, 1) == [1]
        # Here the sleeper stays, in the middle of its iteration.
        sleeper = stream.subscribe(1)
        stream.publish(append(store, 1))
        assert (await anext(sleeper)).sequence == 2
        others = [asyncio.create_task(take(stream.subscribe(2), 300)) for _ in range(5)]
        for _ in range(30):
            stream.publish(append(store, 10))
            await asyncio.sleep(0)
        for found in await asyncio.gather(*others):
            assert found == list(range(3, 303))
        assert len(stream._recent) == 10
        assert await take(sleeper, 300) == list(range(3, 303))

    run(scenario)


def test_messages_no_longer_kept_become_one_reset(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "KEEP_MESSAGES", 20)

    async def scenario() -> None:
        append(store, 100)
        stream = Stream(store)
        subscription = stream.subscribe(5)
        reset = await anext(subscription)
        assert (reset.type, reset.sequence) == ("reset", 100)
        stream.publish(append(store, 2))
        assert await take(subscription, 2) == [101, 102]
        ahead = await anext(stream.subscribe(5000))
        assert (ahead.type, ahead.sequence) == ("reset", 102)

    run(scenario)


async def _follow(stream: Stream, since: int, until: int, pauses: random.Random) -> list[Message]:
    """Read to the end, giving way now and then, and reconnecting with the last number."""
    seen: list[Message] = []
    while since < until:
        async for message in stream.subscribe(since):
            seen.append(message)
            since = message.sequence
            for _ in range(pauses.choice([0, 0, 0, 1, 5])):
                await asyncio.sleep(0)
            if since >= until or pauses.random() < 0.1:
                break
    return seen


async def _write(store: Store, stream: Stream, sizes: list[int], late: random.Random) -> None:
    """Append from a thread; publish late, in the wrong order, twice or never, as threads may."""
    held: list[list[Message]] = []
    for size in sizes:
        held.append(await asyncio.to_thread(append, store, size))
        late.shuffle(held)
        while held and late.random() < 0.6:
            batch = held.pop()
            fate = late.random()
            if fate > 0.2:
                stream.publish(batch)
            if fate > 0.9:
                stream.publish(batch[::-1])
        await asyncio.sleep(0)
    # The end must be heard of, or nobody would know that there is more.
    stream.publish(await asyncio.to_thread(append, store))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=20),
    before=st.integers(0, 20),
    recent=st.sampled_from([1, 3, 100]),
    keep=st.sampled_from([5, 10**6]),
)
def test_any_schedule_gives_every_subscriber_every_message_once(
    seed: int, sizes: list[int], before: int, recent: int, keep: int
) -> None:
    rolls = random.Random(seed)
    total = before + sum(sizes) + 1

    async def scenario(store: Store) -> list[list[Message]]:
        append(store, before)
        stream = Stream(store)
        starts = [rolls.randint(0, before) for _ in range(4)]
        followers = [
            asyncio.create_task(_follow(stream, start, total, random.Random(rolls.random())))
            for start in starts
        ]
        await _write(store, stream, sizes, rolls)
        seen = await asyncio.wait_for(asyncio.gather(*followers), 60)
        return [[_start(start), *found] for start, found in zip(starts, seen, strict=True)]

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(stream_module, "RECENT_MESSAGES", recent)
        patch.setattr(messages, "KEEP_MESSAGES", keep)
        store = Store.open(Path(folder) / "luthier.db")
        histories = asyncio.run(scenario(store))
        store.close()
    for history in histories:
        assert history[-1].sequence == total
        for earlier, later in itertools.pairwise(history):
            if later.type == "reset":
                assert keep == 5
                assert later.sequence > earlier.sequence
            else:
                assert later.sequence == earlier.sequence + 1


def _start(sequence: int) -> Message:
    return Message(sequence=sequence, t=0.0, type="log")
