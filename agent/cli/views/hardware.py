"""A host's hardware."""

from __future__ import annotations

import time

from rich.console import Group, RenderableType
from rich.text import Text

from ... import text
from ...models import Device, HostReport
from ..invocation import Invocation
from .tables import NARROW, add_row, facts, plain_table

_BAR = 10


def show(here: Invocation, report: HostReport) -> None:
    """The report as it is now."""
    here.console.print(_drawn(here, report))


def watch(here: Invocation, interval: float, *, as_json: bool) -> None:
    """The report again and again: in place on a terminal, one after the other elsewhere."""
    from rich.live import Live

    if as_json:
        while True:
            here.print_json_line(here.client.hardware())
            time.sleep(interval)
    if not here.draws:
        while True:
            show(here, here.client.hardware())
            time.sleep(interval)
    with Live(console=here.console, auto_refresh=False) as live:
        while True:
            live.update(_drawn(here, here.client.hardware()), refresh=True)
            time.sleep(interval)


def _drawn(here: Invocation, report: HostReport) -> RenderableType:
    used = report.memory_total - report.memory_available
    head = facts(
        [
            ("host", f"{report.host}, {report.system}, Python {report.python}"),
            ("cpu", f"{report.cpu_name}, {text.count(report.cpu_cores, 'core')}"),
            ("busy", f"{report.cpu_percent:.0f}%, load {report.load:.2f}"),
            ("memory", f"{text.size(used)} of {text.size(report.memory_total)} used"),
            ("disk", f"{text.size(report.disk_free)} of {text.size(report.disk_total)} free"),
        ]
    )
    headings = ["device", "name", "memory", ">busy", ">heat", ">power", "runs"]
    shown = [0, 3, 6] if here.console.width < NARROW else range(len(headings))
    table = plain_table(*(headings[column] for column in shown))
    for device in report.devices:
        row = _device_row(here, device)
        add_row(table, *(row[column] for column in shown))
    problems = [Text(problem, style="yellow") for problem in report.problems]
    return Group(head, table, *problems)


def _device_row(here: Invocation, device: Device) -> list[str]:
    memory = text.size(device.memory_total)
    if device.memory_used is not None and device.memory_total:
        drawn = text.bar(device.memory_used, device.memory_total, _BAR, unicode=here.unicode)
        memory = f"{drawn} {text.size(device.memory_used)} of {memory}"
    slots = f"{len(device.runs)} of {device.slots} used" if device.slots > 1 else ""
    state = "" if device.ready else "not ready"
    users = [*device.runs, *device.guests, *device.others, slots, state]
    return [
        device.id,
        device.name,
        memory,
        "" if device.utilisation is None else f"{device.utilisation:.0f}%",
        "" if device.temperature is None else f"{device.temperature:.0f} C",
        _power(device),
        ", ".join(filter(None, users)) or "free",
    ]


def _power(device: Device) -> str:
    if device.power is None:
        return ""
    limit = f" of {device.power_limit:.0f}" if device.power_limit else ""
    return f"{device.power:.0f}{limit} W"
