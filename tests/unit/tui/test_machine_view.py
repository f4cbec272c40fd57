"""Hardware and queue in words."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.agent.models import Device, HostReport, Run
from luthier.agent.states import RunState
from luthier.tui.columns import Column
from luthier.tui.glyphs import ASCII
from luthier.tui.machine_view import (
    device_cell,
    host_title,
    meters,
    place_after,
    queue_cell,
    users_cell,
    waiting,
)
from luthier.tui.settings import InterfaceSettings

GIB = 2**30


def device(**values: Any) -> Device:
    return Device(**{"id": "cuda:0", "kind": "cuda", "name": "Card", **values})


def run(run_id: str, place: int | None, host: str = "local", created: float = 0.0) -> Run:
    state = RunState.RUNNING if place is None else RunState.QUEUED
    return Run(
        id=run_id, name=f"name-{run_id}", task="llm-sft", model="m", host=host, state=state,
        created_at=created, folder="/x", queue_position=place, reason="Waits for cuda:0.",
    )  # fmt: skip


def cell(found: Device, key: str, width: int = 8) -> tuple[str, str]:
    return device_cell(found, Column(key, "", width), ASCII, InterfaceSettings(), {})


@pytest.mark.parametrize(
    ("found", "key", "expected"),
    [
        (device(), "memory", ("", "")),
        (device(memory_total=8 * GIB), "memory", ("8.0 GiB", "")),
        (device(memory_total=8 * GIB, memory_used=GIB), "memory", ("1.0/8.0 GiB", "")),
        (device(memory_total=8, memory_used=4), "memory_bar", ("####----", "accent")),
        (device(memory_total=100, memory_used=95), "memory_bar", ("#######-", "warning")),
        (device(utilisation=50.0), "busy_bar", ("####----", "accent")),
        (device(), "busy", ("", "")),
        (device(utilisation=7.4), "busy", ("7%", "")),
        (device(temperature=61.0), "heat", ("61 C", "")),
        (device(temperature=90.0), "heat", ("90 C", "warning")),
        (device(power=250.4, power_limit=300.0), "power", ("250/300 W", "")),
        (device(power=40.0), "power", ("40 W", "")),
        (device(ready=False), "id", ("cuda:0", "bad")),
    ],
)
def test_device_cells(found: Device, key: str, expected: tuple[str, str]) -> None:
    assert cell(found, key) == expected


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (device(), "free"),
        (device(slots=4), "4 free"),
        (device(runs=["a"]), "name-a"),
        (device(runs=["a", "unknown"], slots=3), "name-a, unknown (1 of 3 free)"),
        (device(ready=False), "not ready"),
        (device(others=["anna (pid 12, 3000 MiB)"]), "anna (pid 12, 3000 MiB)"),
        (device(runs=["a"], others=["anna (pid 12)"]), "name-a"),
    ],
)
def test_who_has_a_device(found: Device, words: str) -> None:
    assert users_cell(found, {"a": run("a", None)}).text == words


def test_a_host_in_three_meters() -> None:
    report = HostReport(
        host="box", t=0.0, system="Linux", python="3.11", cpu_name="CPU", cpu_cores=1,
        cpu_percent=95.0, load=2.5, memory_total=4 * GIB, memory_available=GIB,
        disk_total=0, disk_free=0, devices=[],
    )  # fmt: skip
    cpu, memory, disk = meters(report, InterfaceSettings())
    assert (cpu.share, cpu.kind) == (0.95, "warning")
    assert (memory.share, memory.words) == (0.75, "3.0 GiB of 4.0 GiB used")
    assert disk.share == 0.0
    assert "1 core," in host_title(report)


def test_the_queue_is_in_order_host_by_host() -> None:
    runs = [run("b", 1), run("z", 0, "other"), run("active", None), run("a", 0)]
    assert [each.id for each in waiting(runs)] == ["a", "b", "z"]


@pytest.mark.parametrize(
    ("run_id", "step", "place"),
    [("a", 1, 1), ("a", -1, None), ("b", -1, 0), ("b", 1, None), ("z", 1, None)],
)
def test_moving_ends_at_the_ends(run_id: str, step: int, place: int | None) -> None:
    runs = {each.id: each for each in (run("a", 0), run("b", 1), run("z", 0, "other"))}
    assert place_after(runs[run_id], runs.values(), step) == place


def test_a_run_that_does_not_wait_has_no_place() -> None:
    assert place_after(run("a", None), [run("a", None)], 1) is None


@pytest.mark.parametrize(
    ("key", "words"),
    [("place", "2."), ("name", "name-a"), ("reason", "cuda:0."), ("age", "30 s")],
)
def test_queue_cells(key: str, words: str) -> None:
    assert queue_cell(run("a", 1, created=70.0), Column(key, "", 9), 100.0).text == words
