"""Opening, damage, full disks and schema changes."""

from __future__ import annotations

import itertools
import os
import random
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from luthier.agent.models import Run
from luthier.agent.states import RunState
from luthier.agent.store import (
    DamagedDatabase,
    NewerDatabase,
    Store,
    StoreUnavailable,
    database,
    schema,
)

LINES = b"".join(
    b'{"t":1,"kind":"metrics","step":%d,"values":{"loss":%d}}\n' % (step, step % 7)
    for step in range(3000)
)


def a_run(run_id: str = "r") -> Run:
    return Run(
        id=run_id,
        name=run_id,
        task="llm-sft",
        model="demo",
        host="local",
        state=RunState.RUNNING,
        created_at=0.0,
        folder="/r",
    )


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("healthy") / "luthier.db"
    store = Store.open(path)
    store.save_run(a_run())
    store.ingest("r", 1, LINES, 0)
    store.close()
    assert not path.with_name("luthier.db-wal").exists()
    return path.read_bytes()


def test_only_the_first_opening_is_fresh(tmp_path: Path) -> None:
    path = tmp_path / "luthier.db"
    first = Store.open(path)
    assert first.fresh
    first.save_run(a_run())
    first.close()
    second = Store.open(path)
    assert not second.fresh
    assert second.run("r") == a_run()
    second.close()


def test_a_database_is_opened_without_the_libraries_of_data_science(tmp_path: Path) -> None:
    """sqlite-utils would load them: half a second and 80 MiB."""
    code = (
        "import sys; from pathlib import Path; from luthier.agent.store import Store;"
        f"Store.open(Path({str(tmp_path / 'luthier.db')!r})).close();"
        "print('sqlite_utils' in sys.modules, {'numpy', 'pandas'} & set(sys.modules))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.split("\n")[0] == "True set()"
    # With nothing to migrate not even sqlite-utils is.
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert again.stdout.split("\n")[0] == "False set()"


@pytest.mark.parametrize("size", [0, 1, 99, 511, 512, 4095, 4096, 4097, 20_000, -4096, -1])
def test_a_truncated_database_is_found_out(tmp_path: Path, healthy: bytes, size: int) -> None:
    path = tmp_path / "luthier.db"
    path.write_bytes(healthy[:size])
    with pytest.raises(DamagedDatabase, match=r"luthier\.db: the database is .*Set it aside"):
        Store.open(path)


def test_random_bytes_are_found_out(tmp_path: Path, healthy: bytes) -> None:
    path = tmp_path / "luthier.db"
    rolls = random.Random(3)
    path.write_bytes(rolls.randbytes(50_000))
    with pytest.raises(DamagedDatabase):
        Store.open(path)
    for page in range(0, len(healthy) // 4096, 7):
        spoiled = bytearray(healthy)
        spoiled[page * 4096 : (page + 1) * 4096] = rolls.randbytes(4096)
        path.write_bytes(spoiled)
        with pytest.raises(DamagedDatabase):
            Store.open(path)


def test_a_wrong_byte_anywhere_in_the_header_is_found_out_or_harmless(
    tmp_path: Path, healthy: bytes
) -> None:
    path = tmp_path / "luthier.db"
    rolls = random.Random(5)
    found_out = 0
    for place in range(100):
        spoiled = bytearray(healthy)
        spoiled[place] ^= rolls.randrange(1, 256)
        path.write_bytes(spoiled)
        try:
            store = Store.open(path)
        except DamagedDatabase:
            found_out += 1
            continue
        assert len(store.events("r", limit=5000)) == 3000
        store.append("log", None, {})
        store.close()
    assert found_out > 20


def test_damage_that_shows_only_later_is_named_too(
    tmp_path: Path, healthy: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECKED_AT_OPEN_BYTES", 0)
    path = tmp_path / "luthier.db"
    path.write_bytes(healthy[:40_960] + random.Random(1).randbytes(len(healthy) - 40_960))
    store = Store.open(path)
    with pytest.raises(DamagedDatabase):
        store.check()
    with pytest.raises(DamagedDatabase):
        store.events("r", limit=5000)
    with pytest.raises(DamagedDatabase):
        store.ingest("r", 2, LINES, 0)
    store.close()


def test_text_that_is_no_longer_json_is_damage(tmp_path: Path, healthy: bytes) -> None:
    path = tmp_path / "luthier.db"
    for wrong in (b'"step"; 2999', b'"st\xffp": 2999'):
        path.write_bytes(healthy.replace(b'"step":2999', wrong[:11]))
        store = Store.open(path)
        with pytest.raises(DamagedDatabase):
            store.events("r", since=2990)
        store.close()


def test_a_database_is_set_aside_with_its_journal(tmp_path: Path, healthy: bytes) -> None:
    path = tmp_path / "luthier.db"
    asides = set()
    for _ in range(3):
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).write_bytes(b"broken" + ending.encode())
        aside = Store.set_aside(path)
        assert aside.name.startswith("luthier.db.damaged-")
        assert aside.read_bytes() == b"broken"
        assert aside.with_name(aside.name + "-wal").read_bytes() == b"broken-wal"
        assert [file.name for file in tmp_path.iterdir() if "damaged" not in file.name] == []
        asides.add(aside)
    assert len(asides) == 3
    store = Store.open(path)
    assert store.fresh
    store.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, healthy: bytes) -> None:
    path = tmp_path / "luthier.db"
    path.write_bytes(healthy)
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('luthier', 'm9999_future', '2099-01-01')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(NewerDatabase, match=r"newer version of Luthier \(m9999_future\)"):
        Store.open(path)


def test_every_migration_file_is_listed_in_order() -> None:
    folder = Path(schema.__file__).with_name("migrations")
    assert list(schema.MIGRATIONS) == sorted(file.stem for file in folder.glob("m*.py"))


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, healthy: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "luthier.db"
    path.write_bytes(healthy)

    def apply(target: object) -> None:
        target.execute("ALTER TABLE run ADD COLUMN extra TEXT")  # type: ignore[attr-defined]
        raise RuntimeError("half way")

    broken = ModuleType("m0002_broken")
    broken.apply = apply  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "luthier.agent.store.migrations.m0002_broken", broken)
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "m0002_broken"))
        with pytest.raises(RuntimeError, match="half way"):
            Store.open(path)
    store = Store.open(path)
    assert store.run("r") == a_run()
    store.close()
    connection = sqlite3.connect(path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(run)")]
    connection.close()
    assert "extra" not in columns


def test_a_missing_folder_gives_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"unable to open.*Make sure that its folder exists"):
        Store.open(tmp_path / "nowhere" / "luthier.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path) -> Path:
    """Leave not a byte free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.writelines(itertools.repeat(b"x" * 4096))
    return ballast


def ingest_until_it_fails(store: Store) -> tuple[int, StoreUnavailable]:
    """The attempt that could no longer be stored, and what was said."""
    for attempt in itertools.count(1):
        try:
            store.ingest("r", attempt, LINES, 0)
        except StoreUnavailable as error:
            return attempt, error
    raise AssertionError


def test_a_full_disk_stores_nothing_by_halves_and_goes_on_once_there_is_space(
    small_disk: Path,
) -> None:
    store = Store.open(small_disk / "luthier.db")
    store.save_run(a_run())
    ballast = fill(small_disk)
    for _ in range(3):
        attempt, error = ingest_until_it_fails(store)
        assert re.search(r"luthier\.db.* full\. Free some space", str(error))
        assert store.offset("r", attempt) == 0
        assert len(store.events("r", limit=10**9)) == 3000 * (attempt - 1)
        assert store.run("r") == a_run()
    ballast.unlink()
    assert len(store.ingest("r", attempt, LINES, 0).events) == 3000
    assert len(store.events("r", limit=10**9)) == 3000 * attempt
    sent = [message.sequence for message in store.messages(0)]
    assert sent == list(range(1, len(sent) + 1))
    store.check()
    store.close()


def test_a_read_only_disk_is_named_and_can_be_mended(small_disk: Path) -> None:
    path = small_disk / "luthier.db"
    store = Store.open(path)
    store.save_run(a_run())
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreUnavailable, match=r"readonly|unable to open"):
        Store.open(path)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    again = Store.open(path)
    assert again.run("r") == a_run()
    again.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every file")
def test_a_file_without_permission_is_named(tmp_path: Path, healthy: bytes) -> None:
    path = tmp_path / "luthier.db"
    path.write_bytes(healthy)
    path.chmod(0o400)
    with pytest.raises(StoreUnavailable, match="readonly"):
        Store.open(path)
