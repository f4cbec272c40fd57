"""Run records, run lookup, deletion, events and hardware samples."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from luthier.agent.models import Device, HardwareSample, Run
from luthier.agent.states import RunState
from luthier.agent.store import Store, StoreUnavailable, UnknownRun


def a_run(run_id: str, name: str = "", created_at: float = 0.0, state: str = "queued") -> Run:
    return Run(
        id=run_id,
        name=name or run_id,
        task="llm-sft",
        model="demo",
        host="local",
        state=RunState(state),
        created_at=created_at,
        folder="/runs/" + run_id,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "luthier.db")
    yield opened
    opened.close()


def test_a_record_comes_back_as_it_was_saved(store: Store) -> None:
    run = a_run("a").model_copy(update={"last_metrics": {"loss": None, "x": 1.5}, "reason": "é"})
    store.save_run(run, {"training": {"learning_rate": 3e-5}})
    assert store.run("a") == run
    assert store.spec("a") == {"training": {"learning_rate": 3e-5}}
    assert store.run("b") is None
    assert store.spec("b") is None


def test_saving_again_replaces_the_record_and_keeps_the_spec(store: Store) -> None:
    store.save_run(a_run("a"), {"seed": 1})
    store.save_run(a_run("a", state="running"))
    assert store.spec("a") == {"seed": 1}
    assert [run.state for run in store.runs()] == [RunState.RUNNING]


def test_each_save_announces_the_run_unless_told_not_to(store: Store) -> None:
    message = store.save_run(a_run("a"))
    assert message is not None
    assert (message.type, message.run_id, message.data["id"]) == ("run", "a", "a")
    assert store.messages(0) == [message]
    assert store.save_run(a_run("a"), announce=False) is None
    assert store.newest_sequence() == 1


def test_runs_come_newest_first_by_state_and_number(store: Store) -> None:
    for number, state in enumerate(["queued", "running", "failed", "queued"]):
        store.save_run(a_run(f"r{number}", created_at=number, state=state))
    assert [run.id for run in store.runs()] == ["r3", "r2", "r1", "r0"]
    assert [run.id for run in store.runs({RunState.QUEUED})] == ["r3", "r0"]
    assert [run.id for run in store.runs({RunState.QUEUED, RunState.FAILED}, limit=2)] == [
        "r3",
        "r2",
    ]
    assert store.runs(states=[]) == []
    assert store.runs(limit=0) == []


def test_a_run_is_found_by_id_beginning_and_name(store: Store) -> None:
    store.save_run(a_run("20250101-a_%b", "first", created_at=1))
    store.save_run(a_run("20250102-cdef", "second", created_at=2))
    store.save_run(a_run("20250103-ghij", "second", created_at=3))
    store.save_run(a_run("20250104-klmn", "20250102-cdef", created_at=4))
    assert store.find("20250101") == ["20250101-a_%b"]
    assert store.find("second") == ["20250103-ghij", "20250102-cdef"]
    assert store.find("2025010") == [
        "20250104-klmn",
        "20250103-ghij",
        "20250102-cdef",
        "20250101-a_%b",
    ]
    # A complete id wins over a run that bears it as its name.
    assert store.find("20250102-cdef") == ["20250102-cdef"]
    assert store.find("%") == store.find("_") == store.find("") == store.find("sec") == []


def test_deleting_a_run_leaves_nothing_of_it_and_all_of_the_others(
    store: Store, tmp_path: Path
) -> None:
    lines = b'{"kind":"metrics","step":1,"values":{"loss":2.0}}\n{"kind":"phase","name":"saving"}\n'
    for run_id in ("gone", "kept"):
        store.save_run(a_run(run_id), {"seed": 1})
        store.ingest(run_id, 1, lines, 0)
        store.add_hardware(run_id, a_sample(1.0))
    before = _rows(tmp_path / "luthier.db")
    message = store.delete_run("gone")
    assert message is not None
    assert (message.type, message.run_id) == ("removed", "gone")
    assert store.delete_run("gone") is None
    assert store.run("gone") is None
    assert store.events("gone") == store.series("gone") == store.hardware("gone") == []
    assert store.offset("gone", 1) == 0
    assert len(store.events("kept")) == 2
    assert store.points("kept", "loss").values == [2.0]
    after = _rows(tmp_path / "luthier.db")
    assert after == {table: count // 2 for table, count in before.items()}


def _rows(database: Path) -> dict[str, int]:
    """How many rows each table has that knows runs or series."""
    connection = sqlite3.connect(database)
    tables = [
        table
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if table != "message" and not table.startswith(("sqlite_", "_sqlite_"))
    ]
    counts = {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}
    connection.close()
    # No run of these has ended with a figure of its memory.
    assert all(count for table, count in counts.items() if table != "memory"), counts
    return counts


def test_events_are_numbered_by_run_and_read_by_kind(store: Store) -> None:
    for run_id in ("a", "b"):
        store.save_run(a_run(run_id))
    lines = [
        b'{"t":1,"kind":"phase","name":"loading"}\n',
        b'{"t":2,"kind":"progress","step":1,"total":2}\n',
        b'{"t":3,"kind":"metrics","step":1,"values":{"loss":1}}\n',
        b'{"t":4,"kind":"phase","name":"training"}\n',
    ]
    store.ingest("a", 1, b"".join(lines), 0)
    store.ingest("b", 1, lines[0], 0)
    store.ingest("a", 2, lines[3], 0)
    found = store.events("a")
    assert [(e.number, e.attempt, e.event["kind"]) for e in found] == [
        (1, 1, "phase"),
        (2, 1, "progress"),
        (3, 1, "metrics"),
        (4, 1, "phase"),
        (5, 2, "phase"),
    ]
    assert found[0].event == {"t": 1.0, "kind": "phase", "name": "loading", "detail": ""}
    assert [e.number for e in store.events("a", since=1, limit=2)] == [2, 3]
    assert [e.number for e in store.events("a", kinds=["phase"])] == [1, 4, 5]
    assert [e.number for e in store.events("a", kinds={"phase", "metrics"}, since=3)] == [4, 5]
    assert store.events("a", kinds=[]) == store.events("nobody") == []
    last = store.last_event("a", "phase")
    assert last is not None
    assert last.number == 5
    assert store.last_event("a", "done") is None
    assert store.last_event("nobody", "phase") is None


def test_numbers_of_any_size_are_answered(store: Store) -> None:
    store.save_run(a_run("a"))
    store.ingest("a", 1, b'{"kind":"metrics","step":1,"values":{"loss":1}}\n', 0)
    huge = 10**30
    assert store.events("a", since=huge) == []
    assert len(store.events("a", since=-huge, limit=huge)) == 1
    assert store.events("a", limit=-1) == []
    assert len(store.points("a", "loss", -huge, huge, huge).steps) == 1
    assert store.points("a", "loss", huge, huge).steps == []
    assert store.points("a", "loss", -huge, -huge, -1).steps == []
    assert [message.type for message in store.messages(huge)] == ["reset"]
    assert [message.type for message in store.messages(-huge)] == ["reset"]
    assert store.hardware("a", -huge, huge, huge) == []
    assert len(store.runs(limit=huge)) == 1


def a_sample(t: float, memory: int = 1, utilisation: float | None = 50.0) -> HardwareSample:
    card = Device(
        id="cuda:0", kind="cuda", name="card", memory_used=memory, utilisation=utilisation
    )
    # An unsupported counter stays unknown.
    other = Device(id="cuda:1", kind="cuda", name="other", memory_total=7)
    return HardwareSample(t=t, cpu_percent=t, memory_used=memory, devices=[card, other])


def test_hardware_samples_that_fit_come_back_as_they_were(store: Store) -> None:
    store.save_run(a_run("a"))
    samples = [a_sample(float(t), memory=t) for t in range(10)]
    store.add_hardware("a", *samples)
    store.add_hardware("a", samples[3])
    assert store.hardware("a") == samples
    assert store.hardware("a", 2.0, 4.0) == samples[2:5]
    assert store.hardware("nobody") == []


def test_too_many_hardware_samples_keep_peaks_and_average_percentages(store: Store) -> None:
    store.save_run(a_run("a"))
    store.add_hardware("a", *(a_sample(float(t), memory=1, utilisation=0.0) for t in range(100)))
    store.add_hardware("a", a_sample(57.0, memory=9, utilisation=100.0))
    found = store.hardware("a", limit=10)
    assert len(found) == 10
    assert [sample.t for sample in found] == sorted(sample.t for sample in found)
    assert found[-1].t == 99.0
    assert [sample.memory_used for sample in found].count(9) == 1
    card = next(sample.devices[0] for sample in found if sample.memory_used == 9)
    assert card.memory_used == 9
    assert card.utilisation == pytest.approx(10.0)
    assert all(sample.devices[1].utilisation is None for sample in found)
    assert {device.id for device in found[0].devices} == {"cuda:0", "cuda:1"}


def test_nothing_is_kept_for_a_run_that_was_removed(store: Store) -> None:
    with pytest.raises(UnknownRun, match="no run gone"):
        store.add_hardware("gone", a_sample(1.0))
    with pytest.raises(UnknownRun):
        store.ingest("gone", 1, b'{"kind":"phase","name":"x"}\n', 0)
    assert store.newest_sequence() == 0


def test_threads_read_while_another_one_writes(store: Store) -> None:
    """A writer in the middle of its transaction keeps nobody from reading."""
    store.save_run(a_run("a"))
    seen: list[Run | None] = []
    with store._database.write() as connection:
        connection.execute("UPDATE run SET record = 'half done'")
        readers = [threading.Thread(target=lambda: seen.append(store.run("a"))) for _ in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout=10)
        connection.execute("UPDATE run SET record = ?", (a_run("a").model_dump_json(),))
    assert seen == [a_run("a")] * 4


def test_threads_that_write_at_once_lose_nothing(store: Store) -> None:
    def write(thread: int) -> None:
        for number in range(25):
            store.append("log", f"{thread}", {"size": number})

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    found = store.messages(0)
    assert [message.sequence for message in found] == list(range(1, 101))
    for thread in range(4):
        own = [message.data["size"] for message in found if message.run_id == str(thread)]
        assert own == list(range(25))


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StoreUnavailable, match="is closed"):
        store.runs()
    with pytest.raises(StoreUnavailable, match="is closed"):
        store.append("log", None, {})
