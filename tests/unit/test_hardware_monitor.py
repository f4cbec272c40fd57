"""The report of this host, and who holds its devices."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from luthier.agent.api.hardware import router
from luthier.agent.hardware import monitor as monitor_module
from luthier.agent.hardware.host import CpuMeter, cpu_name
from luthier.agent.hardware.monitor import HardwareMonitor
from luthier.agent.hardware.nvidia import NvidiaDevices
from luthier.agent.hardware.qaic import QaicDevices
from luthier.agent.models import HostReport

RECORDED = Path(__file__).parent.parent / "fixtures" / "qaic"


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A qaic-util of four devices, which writes a line into ``calls`` each time it is run."""
    path = tmp_path / "qaic-util"
    path.write_text(f"#!/bin/sh\necho >> {tmp_path}/calls\nexec cat {RECORDED}/ultra.txt\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def monitor(tool: Path, tmp_path: Path) -> HardwareMonitor:
    bus = tmp_path / "no bus"
    return HardwareMonitor(
        tmp_path, 2, nvidia=NvidiaDevices(None, bus), qaic=QaicDevices(tool, bus)
    )


def test_the_report_is_true(monitor: HardwareMonitor, tmp_path: Path) -> None:
    began = time.time()
    report = monitor.report()
    assert HostReport.model_validate_json(report.model_dump_json()) == report
    assert began <= report.t <= time.time()
    assert report.host == "local"
    assert report.python == platform.python_version()
    assert platform.release() in report.system
    assert report.cpu_name == cpu_name() != ""
    assert report.cpu_cores == len(os.sched_getaffinity(0))
    assert report.memory_total == psutil.virtual_memory().total
    assert 0 < report.memory_available <= report.memory_total
    assert report.disk_total == psutil.disk_usage(str(tmp_path)).total
    assert 0 <= report.disk_free <= report.disk_total
    cpu = report.devices[0]
    assert (cpu.id, cpu.kind, cpu.slots, cpu.ready) == ("cpu", "cpu", 2, True)
    assert cpu.memory_total == report.memory_total
    assert [device.id for device in report.devices[-4:]] == [f"qaic:{n}" for n in range(4)]


def test_leases_tell_who_holds_a_device(monitor: HardwareMonitor) -> None:
    leases = {"cpu": ["a", "b"], "qaic:2": ["c"], "cuda:77": ["d"]}
    report = monitor.report(leases, cpu_slots=5)
    held = {device.id: device.runs for device in report.devices if device.runs}
    assert held == {"cpu": ["a", "b"], "qaic:2": ["c"]}
    slots = {device.slots for device in report.devices if device.kind != "cpu"}
    assert report.devices[0].slots == 5
    assert slots == {1}
    # What one report says of holders is not left in the next.
    assert not any(device.runs for device in monitor.report().devices)
    assert monitor.devices()[0].slots == 2


def test_a_sample_has_every_device(monitor: HardwareMonitor) -> None:
    sample = monitor.sample()
    assert {"cpu", "qaic:0", "qaic:3"} <= {device.id for device in sample.devices}
    assert 0 < sample.memory_used < psutil.virtual_memory().total
    assert 0 <= sample.cpu_percent <= 100


def test_looks_at_the_same_time_are_one(
    monitor: HardwareMonitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor_module, "_FRESH_SECONDS", 600.0)
    looks: list[Callable[[], object]] = [monitor.report, monitor.sample, monitor.devices] * 4
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(look) for look in looks]:
            done.result()
    assert (tmp_path / "calls").read_text() == "\n"
    monkeypatch.setattr(monitor_module, "_FRESH_SECONDS", 0.0)
    monitor.devices()
    assert (tmp_path / "calls").read_text() == "\n\n"


def test_the_processors_are_measured_over_all_threads() -> None:
    meter = CpuMeter()
    enough = 50 / psutil.cpu_count()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"])]
    try:
        deadline = time.monotonic() + 60
        with ThreadPoolExecutor(4) as threads:
            while threads.submit(meter.percent).result() < enough:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        busy[0].kill()
        busy[0].wait()
    assert meter.percent() <= 100


def test_the_route_fills_in_holders(monitor: HardwareMonitor) -> None:
    app = FastAPI()
    app.include_router(router)
    app.state.services = SimpleNamespace(
        hardware=monitor,
        hosts=SimpleNamespace(get=lambda name: monitor),
        runs=SimpleNamespace(
            holders=lambda host: {"qaic:1": ["run"]},
            leases=SimpleNamespace(guests=lambda host: {"qaic:1": ["chat 1 with run"]}),
        ),
    )
    reply = TestClient(app).get("/v1/hardware")
    assert reply.status_code == 200
    report = HostReport.model_validate(reply.json())
    held = {device.id: (device.runs, device.guests) for device in report.devices}
    assert held["qaic:1"] == (["run"], ["chat 1 with run"])
    assert held["qaic:2"] == ([], [])


def test_the_module_is_light() -> None:
    code = (
        "import sys; from luthier.agent.hardware.monitor import HardwareMonitor; HardwareMonitor();"
        "heavy = {'torch', 'transformers', 'textual', 'rich', 'pynvml'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
