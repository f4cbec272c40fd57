"""NVIDIA GPUs through the real pynvml, some of whose calls answer for a card that is not here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from luthier.agent.hardware.nvidia import NvidiaDevices

WORKING: dict[str, Callable[..., Any]] = {
    "nvmlInit": lambda: None,
    "nvmlDeviceGetCount": lambda: 2,
    "nvmlSystemGetDriverVersion": lambda: "570.86.10",
    "nvmlDeviceGetHandleByIndex": lambda index: index,
    "nvmlDeviceGetName": lambda handle: "NVIDIA H200",
    "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}",
    "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=1000, used=400, free=600),
    "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=75, memory=3),
    "nvmlDeviceGetCudaComputeCapability": lambda handle: (9, 0),
    "nvmlDeviceGetTemperature": lambda handle, sensor: 41,
    "nvmlDeviceGetPowerUsage": lambda handle: 123456,
    "nvmlDeviceGetEnforcedPowerLimit": lambda handle: 700000,
    "nvmlDeviceGetComputeRunningProcesses": lambda handle: [],
}
COUNTERS = [
    "nvmlSystemGetDriverVersion",
    "nvmlDeviceGetName",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetCudaComputeCapability",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetEnforcedPowerLimit",
]


class Library:
    """pynvml with some calls replaced."""

    def __init__(self, **replaced: Callable[..., Any]) -> None:
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(pynvml, name)


def refusing(code: int) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise pynvml.NVMLError(code)

    return refuse


def nvidia_card(folder: Path, kind: str = "0x030200") -> Path:
    card = folder / "0000:01:00.0"
    card.mkdir(parents=True)
    for name, value in (("vendor", "0x10de"), ("device", "0x2335"), ("class", kind)):
        (card / name).write_text(f"{value}\n")
    return folder


def test_every_counter_of_every_gpu(tmp_path: Path) -> None:
    devices, problems = NvidiaDevices(Library(**WORKING), tmp_path).devices()
    assert problems == []
    assert [device.id for device in devices] == ["cuda:0", "cuda:1"]
    first = devices[0]
    assert first.name == "NVIDIA H200"
    assert (first.memory_total, first.memory_used) == (1000, 400)
    assert (first.utilisation, first.temperature) == (75.0, 41.0)
    assert (first.power, first.power_limit) == (123.456, 700.0)
    assert first.detail == {
        "driver": "570.86.10",
        "uuid": "GPU-0",
        "compute_capability": "9.0",
    }


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_UNKNOWN])
@pytest.mark.parametrize("counter", COUNTERS)
def test_a_counter_that_is_not_supported_is_left_out(
    tmp_path: Path, counter: str, code: int
) -> None:
    whole, _ = NvidiaDevices(Library(**WORKING), tmp_path).devices()
    library = Library(**{**WORKING, counter: refusing(code)})
    devices, problems = NvidiaDevices(library, tmp_path).devices()
    assert problems == []
    assert all(device.ready for device in devices)
    flat = [{**d.model_dump(), **d.detail} for d in (whole[0], devices[0])]
    missing = {name for name in flat[0] if flat[0][name] != flat[1][name]} - {"detail"}
    assert missing
    for name in missing:
        assert flat[1][name] in (None, "NVIDIA GPU")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_processes_of_other_users_are_told(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "1000"], user=12345, cwd="/")
    running = [
        SimpleNamespace(pid=stranger.pid, usedGpuMemory=3000 << 20),
        SimpleNamespace(pid=stranger.pid, usedGpuMemory=None),
        SimpleNamespace(pid=os.getpid(), usedGpuMemory=1 << 20),
    ]
    name = "nvmlDeviceGetComputeRunningProcesses"
    library = Library(**{**WORKING, name: lambda handle: running if handle else []})
    try:
        devices, problems = NvidiaDevices(library, tmp_path).devices()
    finally:
        stranger.kill()
        stranger.wait()
    told = [f"12345 (pid {stranger.pid}, 3000 MiB)", f"12345 (pid {stranger.pid})"]
    assert [device.others for device in devices] == [[], told]
    assert problems == []
    library = Library(**{**WORKING, name: refusing(pynvml.NVML_ERROR_NO_PERMISSION)})
    assert NvidiaDevices(library, tmp_path).devices()[0][0].others == []


def test_a_gpu_with_no_counter_at_all(tmp_path: Path) -> None:
    refused = dict.fromkeys(COUNTERS, refusing(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND))
    devices, problems = NvidiaDevices(Library(**{**WORKING, **refused}), tmp_path).devices()
    assert [device.name for device in devices] == ["NVIDIA GPU"] * 2
    assert problems == []


def test_a_lost_gpu_is_not_ready(tmp_path: Path) -> None:
    def handle(index: int) -> int:
        if index == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return index

    library = Library(**{**WORKING, "nvmlDeviceGetHandleByIndex": handle})
    devices, problems = NvidiaDevices(library, tmp_path).devices()
    assert [device.ready for device in devices] == [True, False]
    assert len(problems) == 1
    assert problems[0].startswith("cuda:1 does not answer")


def test_the_library_is_initialised_once_and_again_after_it_failed(tmp_path: Path) -> None:
    calls: list[str] = []
    counts: list[Callable[[], int]] = [
        lambda: 1,
        lambda: 1,
        refusing(pynvml.NVML_ERROR_UNINITIALIZED),
        lambda: 1,
    ]
    library = Library(
        **{
            **WORKING,
            "nvmlInit": lambda: calls.append("init"),
            "nvmlDeviceGetCount": lambda: counts.pop(0)(),
        }
    )
    found = NvidiaDevices(library, tmp_path)
    assert len(calls) == 0
    assert len(found.devices()[0]) == len(found.devices()[0]) == 1
    assert calls == ["init"]
    devices, problems = found.devices()
    assert devices == []
    assert len(problems) == 1
    assert len(found.devices()[0]) == 1
    assert calls == ["init", "init"]


ABSENT = [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED]


@pytest.mark.parametrize("code", ABSENT)
def test_no_driver_is_no_problem_without_a_card(tmp_path: Path, code: int) -> None:
    library = Library(nvmlInit=refusing(code))
    assert NvidiaDevices(library, tmp_path).devices() == ([], [])
    # The sound of a graphics card is none that trains.
    assert NvidiaDevices(library, nvidia_card(tmp_path, "0x040300")).devices() == ([], [])


@pytest.mark.parametrize("code", ABSENT)
def test_no_driver_is_a_problem_with_a_card(tmp_path: Path, code: int) -> None:
    library = Library(nvmlInit=refusing(code))
    devices, problems = NvidiaDevices(library, nvidia_card(tmp_path)).devices()
    assert devices == []
    assert len(problems) == 1
    assert "driver is missing" in problems[0]


def test_a_broken_driver_is_a_problem_even_without_a_card(tmp_path: Path) -> None:
    library = Library(nvmlInit=refusing(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    devices, problems = NvidiaDevices(library, tmp_path).devices()
    assert devices == []
    assert len(problems) == 1
    assert "mismatch" in problems[0].lower()


def test_this_machine_as_it_is() -> None:
    devices, _ = NvidiaDevices().devices()
    assert [device.id for device in devices] == [f"cuda:{n}" for n in range(len(devices))]
