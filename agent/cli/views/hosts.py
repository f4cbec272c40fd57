"""Hosts as people read them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...models import HostCheck, HostInfo
from ..doctor import Check
from ..invocation import Invocation
from . import checks as check_view
from .tables import add_row, facts, plain_table


def show_list(here: Invocation, hosts: Sequence[HostInfo]) -> None:
    """A line a host."""
    table = plain_table("host", "address", "link", ">runs", "trains with")
    for host in hosts:
        python = host.python or ("this Python" if not host.target else "nothing yet")
        add_row(table, host.name, host.target or "here", link(host), str(host.runs), python)
    here.console.print(table)


def show(here: Invocation, host: HostInfo) -> None:
    """Everything about one."""
    pairs = [
        ("host", host.name),
        ("address", host.target or "here"),
        ("folder", host.folder),
        ("trains with", host.python),
        ("hub", "offline" if host.offline else ""),
        ("link", link(host)),
        ("trouble", host.trouble),
        ("runs", str(host.runs)),
        ("price", price(host)),
    ]
    here.console.print(facts(pairs))


def price(host: HostInfo) -> str:
    """What it costs; nothing where nobody pays by time."""
    if host.price_per_hour is None:
        return ""
    return f"{host.price_per_hour:g} {host.currency} an hour for each device"


def link(host: HostInfo) -> str:
    """How the link to it is."""
    if host.unreachable_since is not None:
        since = time.strftime("%H:%M:%S", time.localtime(host.unreachable_since))
        return f"unreachable since {since}"
    return "connected" if host.connected else "not in use"


def show_checks(here: Invocation, found: Sequence[HostCheck]) -> None:
    """The preflight as the doctor shows his."""
    check_view.show(here, as_checks(found))


def as_checks(found: Sequence[HostCheck]) -> list[Check]:
    """The preflight's lines as checks."""
    return [Check(each.name, each.level, each.found, each.remedy) for each in found]
