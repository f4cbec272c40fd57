"""Asking qaic-util, for which a script stands in."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from luthier.agent.hardware import qaic
from luthier.agent.hardware.qaic import QaicDevices

RECORDED = Path(__file__).parent.parent / "fixtures" / "qaic"


@pytest.fixture
def pci(tmp_path: Path) -> Path:
    folder = tmp_path / "pci"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path on which there is no qaic-util."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def plug_in(pci: Path, slot: str, vendor: str = "0x17cb", device: str = "0xa100") -> None:
    folder = pci / slot
    folder.mkdir()
    (folder / "vendor").write_text(f"{vendor}\n")
    (folder / "device").write_text(f"{device}\n")
    (folder / "class").write_text("0x120000\n")


def program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def printing(path: Path, recording: str) -> Path:
    text = shlex.quote(str(RECORDED / f"{recording}.txt"))
    return program(path, f'[ "$*" = -q ] || exit 64\nexec /bin/cat {text}')


def test_the_tool_of_the_sdk_is_asked(tmp_path: Path, pci: Path) -> None:
    devices, problems = QaicDevices(printing(tmp_path / "util", "ultra"), pci).devices()
    assert [device.id for device in devices] == ["qaic:0", "qaic:1", "qaic:2", "qaic:3"]
    assert {device.kind for device in devices} == {"qaic"}
    assert problems == []


def test_the_tool_may_be_on_the_path(bare_path: Path, tmp_path: Path, pci: Path) -> None:
    printing(bare_path / "qaic-util", "old_sdk")
    devices, _ = QaicDevices(tmp_path / "absent", pci).devices()
    assert [device.id for device in devices] == ["qaic:0"]


def test_a_device_that_is_not_ready_is_a_problem(tmp_path: Path, pci: Path) -> None:
    devices, problems = QaicDevices(printing(tmp_path / "util", "broken"), pci).devices()
    assert [device.ready for device in devices] == [True, False, False]
    assert problems == [
        "qaic:1 is not ready, its status is Error.",
        "qaic:2 is not ready, its status is Initializing.",
    ]


def test_without_tool_and_cards_there_is_nothing_to_tell(tmp_path: Path, pci: Path) -> None:
    plug_in(pci, "0000:00:01.0", vendor="0x8086")
    plug_in(pci, "0000:00:02.0", device="0x0306")
    assert QaicDevices(tmp_path / "absent", pci).devices() == ([], [])
    assert QaicDevices(tmp_path / "absent", tmp_path / "no bus").devices() == ([], [])


@pytest.mark.parametrize("model", ["0xa100", "0xa080", "0xa110"])
def test_a_card_without_the_tool_is_a_problem(tmp_path: Path, pci: Path, model: str) -> None:
    plug_in(pci, "0000:01:00.0", device=model)
    devices, problems = QaicDevices(tmp_path / "absent", pci).devices()
    assert devices == []
    assert len(problems) == 1
    assert "1 Qualcomm Cloud AI device found but qaic-util missing" in problems[0]


def test_a_card_that_the_tool_does_not_list_is_a_problem(tmp_path: Path, pci: Path) -> None:
    plug_in(pci, "0000:01:00.0")
    plug_in(pci, "0000:02:00.0")
    tool = program(tmp_path / "util", "echo 'Number of devices: 0'")
    devices, problems = QaicDevices(tool, pci).devices()
    assert devices == []
    assert "none of the 2 Qualcomm Cloud AI devices" in problems[0]


def test_a_failing_tool_is_a_problem_with_its_own_words(tmp_path: Path, pci: Path) -> None:
    plug_in(pci, "0000:01:00.0")
    tool = program(tmp_path / "util", "echo 'Failed to open /dev/accel/accel0' >&2; exit 3")
    devices, problems = QaicDevices(tool, pci).devices()
    assert devices == []
    assert len(problems) == 1
    assert "Failed to open /dev/accel/accel0" in problems[0]
    assert "group qaic" in problems[0]


def test_a_tool_that_cannot_be_run_is_a_problem(tmp_path: Path, pci: Path) -> None:
    tool = tmp_path / "util"
    tool.write_bytes(b"\x7fELF, but not really")
    tool.chmod(0o755)
    assert "cannot be run" in QaicDevices(tool, pci).devices()[1][0]


def test_output_in_no_known_encoding_is_read_all_the_same(tmp_path: Path, pci: Path) -> None:
    tool = program(tmp_path / "util", r"printf '\377\376\nQID 5\n\tStatus:Ready\n\tx\n:\n'")
    devices, problems = QaicDevices(tool, pci).devices()
    assert [(device.id, device.ready) for device in devices] == [("qaic:5", True)]
    assert problems == []


def test_a_tool_that_hangs_is_left_behind_and_not_asked_twice(
    tmp_path: Path, pci: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qaic, "_QUERY_SECONDS", 0.3)
    calls = tmp_path / "calls"
    tool = program(tmp_path / "util", f"echo call >> {calls}\nexec /bin/sleep 600")
    found = QaicDevices(tool, pci)
    assert "does not answer" in found.devices()[1][0]
    assert calls.read_text() == "call\n"
    # Killed, but (as in a driver that hangs) perhaps not dead at once: it is asked again only
    # when its process is gone, and answers when it has recovered.
    printing(tool, "old_sdk")
    stuck = found._stuck
    assert stuck is not None
    os.waitid(os.P_PID, stuck.pid, os.WEXITED | os.WNOWAIT)
    devices, problems = found.devices()
    assert [device.id for device in devices] == ["qaic:0"]
    assert problems == []
