"""A host's hardware and its queue as lines and cells. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from luthier.agent.models import Device, HostReport, Run
from luthier.agent.states import RunState
from luthier.agent.text import age, count, printable

from .columns import Cell, Column
from .glyphs import Glyphs
from .settings import InterfaceSettings

DEVICE_COLUMNS = (
    Column("id", "device", 8),
    Column("name", "name", 18, grow=3, rank=2, most=44),
    Column("memory_bar", "memory", 8, grow=2, rank=3, most=24),
    Column("memory", "", 16, rank=1),
    Column("busy_bar", "busy", 6, grow=1, rank=4, most=20),
    Column("busy", "", 4, right=True),
    Column("heat", "heat", 5, right=True, rank=5),
    Column("power", "power", 11, right=True, rank=6),
    Column("runs", "used by", 14, grow=4),
)
"""The devices of a host."""

QUEUE_COLUMNS = (
    Column("place", "", 3, right=True),
    Column("name", "run", 14, grow=2, most=40),
    Column("task", "task", 9, rank=2, most=26),
    Column("host", "host", 7, rank=3),
    Column("reason", "waits for", 38, grow=3),
    Column("age", "age", 6, right=True),
)
"""The waiting runs."""

_FULL = 0.9
_HOT_DEGREES = 85


class Meter(NamedTuple):
    """One line with a bar: ``share`` 0 to 1, and the same in words."""

    label: str
    share: float
    words: str

    @property
    def kind(self) -> str:
        """The look: a warning when nearly full."""
        return "warning" if self.share >= _FULL else "accent"


def host_title(report: HostReport) -> str:
    """What machine it is."""
    return printable(
        f"{report.host}: {report.cpu_name}, {count(report.cpu_cores, 'core')}, "
        f"{report.system}, Python {report.python}"
    )


def meters(report: HostReport, interface: InterfaceSettings) -> list[Meter]:
    """How busy and how full the host is."""
    size = interface.size
    memory = report.memory_total - report.memory_available
    disk = report.disk_total - report.disk_free
    return [
        Meter(
            "cpu", report.cpu_percent / 100, f"{report.cpu_percent:.0f}%, load {report.load:.2f}"
        ),
        Meter(
            "memory",
            memory / report.memory_total if report.memory_total else 0.0,
            f"{size(memory)} of {size(report.memory_total)} used",
        ),
        Meter(
            "disk",
            disk / report.disk_total if report.disk_total else 0.0,
            f"{size(disk)} of {size(report.disk_total)} used",
        ),
    ]


def device_cell(
    device: Device,
    column: Column,
    glyphs: Glyphs,
    interface: InterfaceSettings,
    runs: Mapping[str, Run],
) -> Cell:
    """What stands in a device's column; empty where the hardware does not tell."""
    used, total = device.memory_used, device.memory_total
    match column.key:
        case "id":
            return Cell(device.id, "strong" if device.ready else "bad")
        case "name":
            return Cell(printable(device.name))
        case "memory_bar":
            return _bar(used, total, column.width, glyphs)
        case "memory":
            return Cell(share(interface.size(used), interface.size(total)))
        case "busy_bar":
            return _bar(device.utilisation, 100.0, column.width, glyphs)
        case "busy":
            return Cell("" if device.utilisation is None else f"{device.utilisation:.0f}%")
        case "heat":
            heat = device.temperature
            hot = heat is not None and heat >= _HOT_DEGREES
            return Cell("" if heat is None else f"{heat:.0f} C", "warning" if hot else "")
        case "power":
            if device.power is None:
                return Cell("")
            limit = f"/{device.power_limit:.0f}" if device.power_limit else ""
            return Cell(f"{device.power:.0f}{limit} W")
    return users_cell(device, runs)


def share(used: str, total: str) -> str:
    """``21.4/48.0 GiB``: the unit is said once when it is the same."""
    figure, _, unit = used.partition(" ")
    if not used or not total:
        return total
    return f"{figure if total.endswith(f' {unit}') else used}/{total}"


def users_cell(device: Device, runs: Mapping[str, Run]) -> Cell:
    """Who has the device: our runs, or else people whom we do not know."""
    if not device.ready:
        return Cell("not ready", "bad")
    strangers = [printable(each) for each in (*device.guests, *device.others)]
    if strangers and not device.runs:
        return Cell(", ".join(strangers), "warning" if device.others else "accent")
    names = [printable(runs[each].name or each) if each in runs else each for each in device.runs]
    free = device.slots - len(names)
    if not names:
        return Cell("free" if device.slots == 1 else f"{free} free", "good")
    shared = f" ({free} of {device.slots} free)" if device.slots > 1 else ""
    guests = list(map(printable, device.guests))
    return Cell(", ".join([*names, *guests]) + shared, "accent")


def _bar(value: float | None, total: float | None, width: int, glyphs: Glyphs) -> Cell:
    if value is None or not total:
        return Cell("")
    full = value / total >= _FULL
    return Cell(glyphs.bar(value, total, width), "warning" if full else "accent")


def waiting(runs: Iterable[Run]) -> list[Run]:
    """The queued runs: host by host, each in the order in which they start."""
    queued = [run for run in runs if run.state is RunState.QUEUED]
    return sorted(queued, key=lambda run: (run.host, run.queue_position or 0, run.created_at))


def place_after(run: Run, runs: Iterable[Run], step: int) -> int | None:
    """The place in the queue ``step`` further on; None at the ends, or when it does not wait."""
    if run.queue_position is None:
        return None
    places = [each.queue_position for each in waiting(runs) if each.host == run.host]
    wanted = run.queue_position + step
    return wanted if wanted in places else None


def queue_cell(run: Run, column: Column, now: float) -> Cell:
    """What stands in a waiting run's column."""
    match column.key:
        case "place":
            return Cell("" if run.queue_position is None else f"{run.queue_position + 1}.")
        case "name":
            return Cell(printable(run.name or run.id), "strong")
        case "task":
            return Cell(run.task)
        case "host":
            return Cell(printable(run.host), "muted")
        case "reason":
            return Cell(printable(run.reason.removeprefix("Waits for ")), "muted")
    return Cell(age(now - run.created_at), "muted")
