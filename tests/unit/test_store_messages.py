"""The stored message stream: no gaps, pruning, resets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_core import PydanticSerializationError

from luthier.agent.store import Store, UnknownRun, messages


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "luthier.db")
    yield opened
    opened.close()


def sequences(store: Store, since: int) -> list[int]:
    return [message.sequence for message in store.messages(since)]


def test_what_is_appended_is_what_is_read(store: Store) -> None:
    assert store.newest_sequence() == 0
    assert store.messages(0) == []
    appended = [
        store.append("log", "a", {"size": 1}),
        store.append("hardware", None, {"t": 1.5, "bad": float("nan")}),
        store.append("run", "é", {"name": "ünï"}),
    ]
    assert store.messages(0) == appended
    assert store.messages(1, limit=1) == appended[1:2]
    assert appended[1].data["bad"] is None
    assert store.messages(3) == []


def test_numbers_go_on_after_reopening(store: Store, tmp_path: Path) -> None:
    store.append("log", None, {})
    store.close()
    again = Store.open(tmp_path / "luthier.db")
    assert again.append("log", None, {}).sequence == 2
    again.close()


def test_an_unstored_change_takes_no_number(store: Store) -> None:
    with pytest.raises(UnknownRun):
        store.add_hardware("nobody")
    with pytest.raises(PydanticSerializationError):
        store.append("log", None, {"socket": object()})
    assert store.append("log", None, {}).sequence == 1


def test_old_messages_are_pruned_and_asking_for_them_gives_one_reset(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "KEEP_MESSAGES", 10)
    for _ in range(50):
        store.append("log", None, {})
    kept = sequences(store, 40)
    assert kept == list(range(41, 51))
    (reset,) = store.messages(30)
    assert (reset.type, reset.sequence, reset.run_id) == ("reset", 50, None)
    assert store.messages(reset.sequence) == []


def test_big_messages_are_pruned_by_their_size(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "KEEP_CHARACTERS", 10_000)
    for _ in range(20):
        store.append("log", None, {"text": "x" * 3000})
    assert sequences(store, 16) == [17, 18, 19, 20]
    assert [message.type for message in store.messages(15)] == ["reset"]
    # One that is bigger than all that may be kept is still sent.
    store.append("log", None, {"text": "x" * 30_000})
    assert sequences(store, 20) == [21]


def test_a_number_never_given_out_gives_a_reset(store: Store) -> None:
    store.append("log", None, {})
    (reset,) = store.messages(2)
    assert (reset.type, reset.sequence) == ("reset", 1)


def test_one_answer_stays_small_and_the_next_one_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_REPLY_CHARACTERS", 5000)
    for _ in range(9):
        store.append("log", None, {"text": "x" * 2000})
    seen: list[int] = []
    answers = 0
    while found := sequences(store, seen[-1] if seen else 0):
        assert len(found) <= 3
        seen += found
        answers += 1
    assert seen == list(range(1, 10))
    assert answers == 3


def test_clients_of_a_database_set_aside_are_told_to_start_anew(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "luthier.db"
    for _ in range(5):
        store.append("log", None, {})
    store.close()
    Store.set_aside(path)
    again = Store.open(path)
    for _ in range(10):
        again.append("log", None, {})
    for since in (0, 1, 5, 7, 12):
        (reset,) = again.messages(since)
        assert (reset.type, reset.sequence) == ("reset", again.newest_sequence())
    newest = again.newest_sequence()
    assert sequences(again, newest - 10) == list(range(newest - 9, newest + 1))
    again.close()
    # Opening it once more changes nothing.
    once_more = Store.open(path)
    assert once_more.newest_sequence() == newest
    once_more.close()
