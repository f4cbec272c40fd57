"""Every line of an events.jsonl is stored exactly once, whatever happens."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.agent.models import Run
from luthier.agent.states import RunState
from luthier.agent.store import Store, ingestion


def open_store(folder: Path) -> Store:
    store = Store.open(folder / "luthier.db")
    store.save_run(
        Run(
            id="r",
            name="r",
            task="llm-sft",
            model="demo",
            host="local",
            state=RunState.RUNNING,
            created_at=0.0,
            folder="/r",
        ),
        announce=False,
    )
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def metrics_line(step: int, loss: float = 1.0) -> bytes:
    event = {"t": 1.0, "kind": "metrics", "step": step, "epoch": 0.5, "values": {"loss": loss}}
    return json.dumps(event).encode() + b"\n"


def test_the_result_tells_what_was_new(store: Store) -> None:
    chunk = metrics_line(1) + b'{"t":2,"kind":"done","step":1}\n'
    done = store.ingest("r", 1, chunk, 0)
    assert done.offset == store.offset("r", 1) == len(chunk)
    assert [event.kind for event in done.events] == ["metrics", "done"]
    assert done.unreadable == 0
    assert not done.more
    assert store.messages(0) == done.messages
    (message,) = done.messages
    assert (message.type, message.run_id) == ("events", "r")
    assert (message.data["attempt"], message.data["number"]) == (1, 1)
    assert message.data["events"] == [stored.event for stored in store.events("r")]
    assert store.ingest("r", 1, chunk, 0).messages == []
    assert store.newest_sequence() == 1


def test_unreadable_lines_are_counted_and_passed_over(store: Store) -> None:
    bad = [
        b"\xff\xfe garbage\n",
        b'{"t":1,"kind":"metr\n',
        b'{"t":1,"kind":"unheard-of"}\n',
        b'{"kind":"metrics","step":1e400,"values":{}}\n',
        b'{"kind":"metrics","step":-1,"values":{}}\n',
        b'{"kind":"metrics","step":99999999999999999999999,"values":{}}\n',
        b"null\n",
        b"\0\0\0\n",
        b"[" * 100_000 + b"\n",
    ]
    empty = b"\n  \r\n"
    chunk = metrics_line(1) + empty + b"".join(bad) + metrics_line(2)
    done = store.ingest("r", 1, chunk, 0)
    assert done.unreadable == len(bad)
    assert done.offset == len(chunk)
    assert store.points("r", "loss").steps == [1, 2]
    assert [stored.number for stored in store.events("r")] == [1, 2]


def test_values_that_are_not_numbers_do_no_harm(store: Store) -> None:
    line = b'{"t":1,"kind":"metrics","step":1,"values":{"a":NaN,"b":-Infinity,"c":null,"":0}}\n'
    done = store.ingest("r", 1, line, 0)
    assert done.unreadable == 0
    assert store.events("r")[0].event["values"] == {"a": None, "b": None, "c": None, "": 0.0}
    assert json.loads(done.messages[0].model_dump_json())["data"] == done.messages[0].data
    assert [info.name for info in store.series("r")] == ["", "a", "b", "c"]


def test_a_piece_with_a_gap_before_it_is_refused(store: Store) -> None:
    store.ingest("r", 1, metrics_line(1), 0)
    with pytest.raises(ValueError, match="bytes are stored"):
        store.ingest("r", 1, metrics_line(2), 1000)


def test_many_events_become_several_small_messages_without_gaps(store: Store) -> None:
    done = store.ingest("r", 1, b"".join(metrics_line(step) for step in range(950)), 0)
    assert len(done.messages) >= 9
    number = 1
    for message in done.messages:
        assert message.data["number"] == number
        number += len(message.data["events"])
        assert len(message.model_dump_json()) < 100_000
    assert number == 951


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(
        st.one_of(
            st.integers(0, 50).map(metrics_line),
            st.binary(max_size=30).map(lambda junk: junk.replace(b"\n", b" ") + b"\n"),
            st.just(b"\n"),
        ),
        max_size=30,
    ),
    cuts=st.lists(st.integers(0, 3000), max_size=15),
)
def test_pieces_cut_anywhere_and_repeated_give_every_line_once(
    lines: list[bytes], cuts: list[int]
) -> None:
    content = b"".join(lines)
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as pieces:
        at_once, in_pieces = open_store(Path(whole)), open_store(Path(pieces))
        expected = at_once.ingest("r", 1, content, 0)
        unreadable = 0
        for cut in [*cuts, len(content)]:
            offset = in_pieces.offset("r", 1)
            # Sometimes a reader begins too early; what is stored already is skipped.
            start = 0 if cut % 3 == 0 else offset
            unreadable += in_pieces.ingest("r", 1, content[start:cut], start).unreadable
        assert in_pieces.offset("r", 1) == expected.offset == len(content)
        assert in_pieces.events("r") == at_once.events("r")
        assert in_pieces.points("r", "loss") == at_once.points("r", "loss")
        assert unreadable == expected.unreadable
        at_once.close()
        in_pieces.close()


def ingest_all(store: Store, path: Path) -> None:
    while store.ingest_file("r", 1, path).more:
        pass


def test_a_file_is_read_piece_by_piece_while_it_grows(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert store.ingest_file("r", 1, path).offset == 0
    path.write_bytes(b"".join(metrics_line(step) for step in range(5000)))
    assert path.stat().st_size > ingestion.CHUNK_BYTES
    first = store.ingest_file("r", 1, path)
    assert first.more
    assert 0 < len(first.events) < 5000
    ingest_all(store, path)
    with path.open("ab") as file:
        torn = metrics_line(5000)
        file.write(torn[:20])
        file.flush()
        assert store.ingest_file("r", 1, path).events == []
        file.write(torn[20:])
    ingest_all(store, path)
    assert store.offset("r", 1) == path.stat().st_size
    assert [info.points for info in store.series("r")] == [5001]


def test_a_line_longer_than_a_piece_is_read_and_an_endless_one_passed_over(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(ingestion, "LONGEST_LINE", 20_000)
    path = tmp_path / "events.jsonl"
    sample = {"kind": "sample", "step": 1, "prompt": "p", "text": "x" * 9000}
    path.write_bytes(
        metrics_line(1)
        + json.dumps(sample).encode()
        + b"\n"
        + b"y" * 50_000
        + b"\n"
        + metrics_line(2)
    )
    ingest_all(store, path)
    assert store.offset("r", 1) == path.stat().st_size
    assert [stored.event["kind"] for stored in store.events("r")] == [
        "metrics",
        "sample",
        "metrics",
    ]


# Small pieces, so that many transactions end and begin while the process may be killed.
_INGESTER = """
import sys
from pathlib import Path
from luthier.agent.store import Store, ingestion

ingestion.CHUNK_BYTES = 3000
database, file = map(Path, sys.argv[1:])
store = Store.open(database)
print("ready", flush=True)
while True:
    store.ingest_file("r", 1, file)
"""


def test_killing_the_process_that_ingests_never_loses_or_doubles_a_line(tmp_path: Path) -> None:
    """SIGKILL at 20 random moments, while the file grows; every kill is followed by a look."""
    path = tmp_path / "events.jsonl"
    path.touch()
    open_store(tmp_path).close()
    rolls = random.Random(7)
    stored = set()
    for number in range(20):
        with path.open("ab") as file:
            for step in range(number * 400, (number + 1) * 400):
                file.write(metrics_line(step, rolls.random()))
        process = subprocess.Popen(
            [sys.executable, "-c", _INGESTER, str(tmp_path / "luthier.db"), str(path)],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(rolls.uniform(0.0, 0.05))
        process.kill()
        process.wait()
        process.stdout.close()
        stored.add(_agrees_with(tmp_path, path))
    # Were all the kills after the last line or before the first, this would prove nothing.
    assert len(stored) > 5
    store = Store.open(tmp_path / "luthier.db")
    ingest_all(store, path)
    store.close()
    assert _agrees_with(tmp_path, path) == path.stat().st_size


def _agrees_with(folder: Path, path: Path) -> int:
    """Check that the store holds what the file says up to the stored offset, which it returns."""
    store = Store.open(folder / "luthier.db")
    store.check()
    offset = store.offset("r", 1)
    expected = [json.loads(line) for line in path.read_bytes()[:offset].splitlines()]
    events = store.events("r", limit=10**9)
    assert [stored.event for stored in events] == expected
    assert [stored.number for stored in events] == list(range(1, len(expected) + 1))
    points = store.points("r", "loss", limit=10**9)
    assert dict(zip(points.steps, points.values, strict=True)) == {
        event["step"]: event["values"]["loss"] for event in expected
    }
    sent = []
    since = 0
    while messages := store.messages(since):
        assert [message.sequence for message in messages] == list(
            range(since + 1, since + 1 + len(messages))
        )
        since = messages[-1].sequence
        sent += [event for message in messages for event in message.data["events"]]
    assert sent == expected
    store.close()
    return offset
