"""Runs on another host against runs here, and our transfers against OpenSSH's sftp.

Starts, the time from an event to a client that hears of it, and the rates of transfers.

Everything goes over an sshd of its own on loopback. Figures of the same round stand side by side.
"""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from luthier.agent.hosts.hashes import FileContent, Hashes
from luthier.agent.hosts.hosts import Hosts
from luthier.agent.hosts.link import Link
from luthier.agent.hosts.transfer import fetch_file, send_file
from luthier.agent.settings import Settings
from luthier.trainers.demo import demo_spec_text

_MIB = 1 << 20
_SIZE = 200 * _MIB
_ROUNDS = 3
_EVENTS = 100
_SHORT = [
    "training.max_steps=2",
    "training.logging_steps=1",
    "evaluation.strategy=no",
    "data.max_rows=100",
]


def fixtures() -> ModuleType:
    """The tests' ssh servers and agents."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    return importlib.import_module("tests.hosts.conftest")


def first_step(agent: Any, host: str, name: str) -> float:
    """Seconds from the submission to the first training step."""
    began = time.monotonic()
    overrides = [*_SHORT, f"launch.host={host}", f"name={name}"]
    run = agent.client.submit(demo_spec_text(), overrides=overrides)
    agent.reached(run.id, 1, seconds=300)
    seconds = time.monotonic() - began
    agent.ended(run.id, seconds=300)
    return seconds


def lags(parts: ModuleType, far: Any, folder: Path) -> None:
    """Seconds from an event's writing to a client's hearing of it, there and here."""
    quick = parts.Far(far.agent, far.server, "quick", folder / "quick")
    far.agent.terminate()
    far.agent.write_settings()
    quick.know()
    far.agent.start()
    workshop = parts.Workshop(folder)
    first_of_nothing(far, workshop, "quick")
    for _ in range(_ROUNDS):
        here, there = (first_of_nothing(far, workshop, host) for host in ("local", "quick"))
        print(
            f"first step of a worker that loads nothing: here {here:.2f} s, "
            f"there {there:.2f} s, {there - here:+.2f} s"
        )
    for number in range(_ROUNDS):
        _tell("here", _lags(far, workshop, "local"))
        _tell("there", _lags(far, workshop, "quick"))
        sent = folder / f"model-{number}"
        sent.write_bytes(os.urandom(_SIZE))
        _tell("there, beside an upload", _lags(far, workshop, "quick", sent))
    quick.end_everything()


def first_of_nothing(far: Any, workshop: Any, host: str) -> float:
    """Seconds from the submission to the first step of a run that loads no library."""
    began = time.monotonic()
    run = far.agent.client.submit(workshop.spec({"steps": 2}, launch={"host": host}))
    far.agent.reached(run.id, 1)
    seconds = time.monotonic() - began
    far.agent.ended(run.id)
    return seconds


def _tell(where: str, found: list[float]) -> None:
    print(
        f"event to client {where}: median {statistics.median(found):.3f} s, "
        f"worst {max(found):.3f} s of {len(found)}"
    )


def _lags(far: Any, workshop: Any, host: str, sent: Path | None = None) -> list[float]:
    """Lags of all events of a run; meanwhile a file goes up over the same connection."""
    client, found, sender = far.agent.client, [], None
    launch = {"host": host, "share_device": True}
    since = client.status().sequence
    run = client.submit(workshop.spec({"steps": _EVENTS, "pace": 0.05}, launch=launch))
    for message in client.messages(since):
        now = time.time()
        if message.run_id != run.id:
            continue
        if message.type == "events":
            events = message.data["events"]
            found += [now - event["t"] for event in events if event["kind"] == "metrics"]
        if sent and not sender and found:
            model = {"name_or_path": str(sent)}
            sender = client.submit(workshop.spec({"steps": 1}, launch=launch, model=model))
        if message.type == "run" and message.data["state"] == "succeeded":
            break
    if sender:
        far.agent.ended(sender.id, seconds=300)
    return found


def starts(far: Any) -> None:
    """Time to the first step, there and here; the first run there also sends everything."""
    print(f"first step, everything sent first: {first_step(far.agent, 'far', 'cold'):.1f} s")
    for number in range(_ROUNDS):
        here = first_step(far.agent, "local", f"here-{number}")
        there = first_step(far.agent, "far", f"there-{number}")
        print(f"first step: here {here:.1f} s, there {there:.1f} s, {there - here:+.1f} s")


def transfers(far: Any, folder: Path) -> None:
    """Megabytes a second, ours and sftp's, up and down; sftp connects each time, we once."""
    source = folder / "source"
    source.write_bytes(os.urandom(_SIZE))
    hosts = Hosts(far.agent.home.path / "hosts", Settings(), far.agent.monitor)
    link = hosts.known("far").link
    content = Hashes(folder / "hashes.json").content(source, "source")
    began = time.monotonic()
    link.ready()
    print(f"connecting: ours {time.monotonic() - began:.2f} s", end=", ")
    began = time.monotonic()
    _sftp(far, "pwd")
    print(f"sftp {time.monotonic() - began:.2f} s")
    _touch_memory(folder / "memory")
    for number in range(_ROUNDS):
        _round(far, link, content, folder / f"up-{number}", folder / f"down-{number}")
    hosts.close()


def _touch_memory(path: Path) -> None:
    """Have the memory at hand that the files of a round fill.

    In a virtual machine whoever touches it first is held up by that, which was always us.
    """
    with path.open("wb", buffering=0) as file:
        for _ in range(4 * _SIZE // _MIB):
            file.write(bytes(_MIB))
    path.unlink()


def _round(far: Any, link: Link, source: FileContent, up: Path, down: Path) -> None:
    """The better of two tries each, in turn, so that other work on the machine hits both alike."""
    rates: dict[str, float] = {}
    for _ in range(2):
        for path in (up, down):
            for each in (path, path.with_name(f"{path.name}-sftp")):
                each.unlink(missing_ok=True)
        works: dict[str, Any] = {
            "ours up": partial(send_file, link, source, str(up), _nobody),
            "sftp up": partial(_sftp, far, f"put {source.path} {up}-sftp"),
            "ours down": lambda: fetch_file(
                link, str(up), down, _SIZE, up.stat().st_mtime, _nobody
            ),
            "sftp down": partial(_sftp, far, f"get {up} {down}-sftp"),
        }
        for what, work in works.items():
            rates[what] = max(rates.get(what, 0.0), _rate(work))
    for word in ("up", "down"):
        ours, theirs = rates[f"ours {word}"], rates[f"sftp {word}"]
        print(f"{word}: ours {ours:.0f} MiB/s, sftp {theirs:.0f} MiB/s, {ours / theirs:.0%} of it")


def _nobody(moved: int) -> None:
    """Is told of progress."""


def _rate(work: Any) -> float:
    began = time.monotonic()
    work()
    return _SIZE / _MIB / (time.monotonic() - began)


def _sftp(far: Any, command: str) -> None:
    server = far.server
    options = ["-q", "-b", "-", "-F", "none", "-i", str(server.key), "-P", str(server.port)]
    options += ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]
    subprocess.run(
        ["sftp", *options, server.address], input=command.encode(), check=True, capture_output=True
    )


def main() -> None:
    """Print the figures."""
    from luthier.agent.hardware.monitor import HardwareMonitor

    parts = fixtures()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (
            parts.a_person(folder / "person") as person,
            parts.a_server(folder / "sshd", person) as server,
            parts.an_agent(folder, server, worker_command=[], offline=True) as far,
        ):
            far.agent.terminate()
            far.know(worker=None, offline=True)
            far.agent.start()
            far.agent.monitor = HardwareMonitor()
            transfers(far, folder)
            starts(far)
            lags(parts, far, folder)


if __name__ == "__main__":
    main()
