"""Files that are sent and fetched: cut anywhere, they go on from there; damage is found."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.hosts.bootstrap import payload
from luthier.agent.hosts.errors import HostError, HostUnreachableError
from luthier.agent.hosts.hashes import Hashes
from luthier.agent.hosts.ssh_host import SshHost
from luthier.agent.hosts.transfer import fetch_file, send_file
from luthier.agent.hosts.turns import Turns

from .servers import SshServer

_SIZE = 24 << 20


class Meter:
    """Counts what has moved, and loses the link after so many bytes."""

    def __init__(self, lose_after: int = 10 * _SIZE) -> None:
        self.moved: list[int] = []
        self._lose_after = lose_after

    def __call__(self, count: int) -> None:
        self.moved.append(count)
        if sum(self.moved) >= self._lose_after:
            raise HostUnreachableError("The cable is out.")


@pytest.fixture
def host(sshd: SshServer, known: Callable[..., SshHost]) -> SshHost:
    """A host."""
    return known(sshd, helper=sys.executable)


@pytest.mark.slow
def test_far_end_stays_while_nothing_is_said(
    sshd: SshServer, known: Callable[..., SshHost], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A minute, shortened without a change of the program's length.
    impatient = payload().replace(b"_SILENCE_SECONDS = 60.0", b"_SILENCE_SECONDS = 10.0")
    assert impatient != payload()
    monkeypatch.setattr("luthier.agent.hosts.channel.payload", lambda: impatient)
    host = known(sshd, helper=sys.executable)
    with host.link.courier() as idle, host.link.courier() as busy:
        busy.send("run", argv=["sleep", "25"])
        assert busy.receive()[0]["code"] == 0
        assert idle.converse("sizes", paths=["/"])["sizes"] == [-1]


def test_command_ends_with_the_channel(
    host: SshHost, tmp_path: Path, wait: Callable[..., Any]
) -> None:
    started = tmp_path / "pid"
    with host.link.courier() as channel:
        channel.send("run", argv=["sh", "-c", f"echo $$ > {started}; sleep 1000 & wait"])
        pid = int(wait(lambda: started.exists() and started.read_text().strip()))
        children = Path(f"/proc/{pid}/task/{pid}/children")
        (child,) = wait(lambda: children.read_text().split())
        channel.close()
    wait(lambda: not any(Path(f"/proc/{each}").exists() for each in (pid, child)))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of random bytes."""
    path = tmp_path / "source"
    path.write_bytes(os.urandom(_SIZE))
    return path


@pytest.mark.parametrize("damaged", [False, True])
def test_sent_from_where_it_was_cut(
    host: SshHost, source: Path, tmp_path: Path, damaged: bool
) -> None:
    content = Hashes(tmp_path / "hashes.json").content(source, "source")
    target = tmp_path / "far" / "blob"
    with pytest.raises(HostUnreachableError):
        send_file(host.link, content, str(target), Meter(8 << 20))
    part = target.with_name("blob.part")
    there = part.stat().st_size
    assert 8 << 20 <= there < _SIZE
    if damaged:
        with part.open("r+b") as file:
            file.write(b"something else")
    meter = Meter()
    send_file(host.link, content, str(target), meter)
    assert meter.moved[0] >= 8 << 20
    assert (-_SIZE in meter.moved) is damaged
    assert sum(meter.moved) == _SIZE
    assert target.read_bytes() == source.read_bytes()
    assert not part.exists()
    again = Meter()
    send_file(host.link, content, str(target), again)
    assert again.moved == [_SIZE]


@pytest.mark.parametrize("damaged", [False, True])
def test_fetched_from_where_it_was_cut(
    host: SshHost, source: Path, tmp_path: Path, damaged: bool
) -> None:
    target, modified = tmp_path / "results" / "file", source.stat().st_mtime

    def fetch(meter: Meter) -> None:
        fetch_file(host.link, str(source), target, _SIZE, modified, meter)

    with pytest.raises(HostUnreachableError):
        fetch(Meter(8 << 20))
    (part,) = target.parent.iterdir()
    if damaged:
        with part.open("r+b") as file:
            file.write(b"something else")
    meter = Meter()
    fetch(meter)
    assert meter.moved[0] >= 8 << 20
    assert (-_SIZE in meter.moved) is damaged
    assert sum(meter.moved) == _SIZE
    assert target.read_bytes() == source.read_bytes()
    assert list(target.parent.iterdir()) == [target]


def test_who_comes_second_waits_and_is_told() -> None:
    turns, told = Turns(), threading.Event()
    order: list[str] = []

    def second() -> None:
        with turns.of("data", told.set):
            order.append("second")

    with turns.of("data"), turns.of("model"):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(60)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    with turns.of("data", lambda: order.append("waited")):
        assert "waited" not in order


def test_what_two_want_at_once_is_brought_once(host: SshHost, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(20):
        path = data / f"{number % 4}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    session = host.link.ready()
    told: list[str] = []

    def bring(number: int) -> list[str]:
        shipper = host.shipper(session)
        return [shipper.ship_bundle(told.append), shipper.ship(data, told.append)]

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(bring, range(6)))
    assert found == [found[0]] * 6
    assert told.count("sending the trainer") == 1
    assert len(list((tmp_path / "far" / "bundles").iterdir())) == 1
    (tree,) = (tmp_path / "far" / "trees").iterdir()
    assert sorted(path.read_text() for path in tree.rglob("*.txt")) == sorted(map(str, range(20)))


def test_file_that_changes_while_it_is_sent_is_told(
    host: SshHost, source: Path, tmp_path: Path
) -> None:
    content = Hashes(tmp_path / "hashes.json").content(source, "source")
    with source.open("r+b") as file:
        file.write(b"something else")
    with pytest.raises(HostError, match="has changed while it was sent"):
        send_file(host.link, content, str(tmp_path / "far" / "blob"), lambda moved: None)
    assert not list((tmp_path / "far").glob("blob*"))
