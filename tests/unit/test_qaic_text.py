"""Reading what qaic-util prints."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.hardware.qaic import to_devices
from luthier.agent.hardware.qaic_text import QaicCard, parse_query

RECORDED = Path(__file__).parent.parent / "fixtures" / "qaic"
TEXTS = [path.read_text() for path in sorted(RECORDED.glob("*.txt"))]
GIB = 2**30


def cards(name: str) -> list[QaicCard]:
    return parse_query((RECORDED / f"{name}.txt").read_text())


def test_a_board_of_four_devices() -> None:
    found = cards("ultra")
    assert [card.qid for card in found] == [0, 1, 2, 3]
    assert all(card.ready for card in found)
    busy = found[1]
    assert busy.text("PCI Address") == "0000:02:00.0"
    assert busy.memory_total == 31391744 * 1024
    assert busy.memory_used == 30000000 * 1024
    assert busy.utilisation == 75.0
    assert busy.count("Networks Active") == 1
    assert busy.number("SoC temperature(degree C)") == 58.0
    assert busy.text("NSP Defective PG Mask") == "0x0"
    assert busy.board == "PN0001234A"
    assert found[0].utilisation == 0.0
    assert found[0].memory_used == 0


def test_the_power_of_a_board_is_counted_once() -> None:
    devices = to_devices(cards("ultra"))
    assert [device.power for device in devices] == [49.5 / 4] * 4
    assert sum(device.power_limit or 0 for device in devices) == 150.0
    assert all(device.detail["soc_power"] == 11.0 for device in devices)


def test_each_board_has_its_own_power() -> None:
    devices = to_devices(cards("two_boards"))
    assert [device.power for device in devices] == [30.0, 30.0, 30.0]
    assert [device.power_limit for device in devices] == [75.0, 75.0, 75.0]
    assert devices[0].name == "Qualcomm Cloud AI 100 PCIe Pro"


def test_sizes_may_be_in_megabytes() -> None:
    (card,) = cards("old_sdk")
    assert card.memory_total == 32692 * 2**20
    assert card.memory_used == 2000 * 2**20
    (device,) = to_devices([card])
    assert device.power_limit is None
    assert device.detail["soc_power"] is None


def test_a_device_in_error_tells_only_a_part() -> None:
    ready, broken, starting = to_devices(cards("broken"))
    assert ready.ready
    assert ready.power == 48.0
    assert not broken.ready
    assert broken.detail["status"] == "Error"
    assert broken.detail["dev_link"] == "accel1"
    assert broken.name == "Qualcomm Cloud AI 100"
    assert (broken.memory_total, broken.memory_used, broken.utilisation) == (None, None, None)
    assert (broken.power, broken.temperature) == (None, None)
    assert not starting.ready
    assert starting.name == "Qualcomm Cloud AI"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("31391744 KB", 31391744 * 1024),
        ("31391744KB", 31391744 * 1024),
        ("32692 MB", 32692 * 2**20),
        ("1.5 GiB", 3 * GIB // 2),
        ("512", 512),
        ("512 B", 512),
        ("0 KB", 0),
        ("", None),
        ("KB", None),
        ("-1 KB", None),
        ("nan KB", None),
        ("9" * 5000 + " KB", None),
        ("\u0663 KB", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert QaicCard(0, {"dram total": text}).memory_total == size


@pytest.mark.parametrize(
    ("total", "free", "percent"),
    [("16", "16", 0.0), ("16", "0", 100.0), ("16", "17", None), ("0", "0", None), ("x", "1", None)],
)
def test_utilisation(total: str, free: str, percent: float | None) -> None:
    assert QaicCard(0, {"nsp total": total, "nsp free": free}).utilisation == percent


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """Recorded text with pieces cut out, doubled and replaced."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 400)))
        piece = draw(st.one_of(st.just(""), st.just(text[start:end] * 2), st.text(max_size=20)))
        text = text[:start] + piece + text[end:]
    return text


@given(st.one_of(st.text(), mangled()))
def test_mangled_text_never_breaks_the_reading(text: str) -> None:
    devices = to_devices(parse_query(text))
    assert len({device.id for device in devices}) == len(devices)
    for device in devices:
        assert int(device.id.removeprefix("qaic:")) >= 0
        assert device.utilisation is None or 0 <= device.utilisation <= 100
        assert device.memory_used is None or 0 <= device.memory_used <= (device.memory_total or 0)
        for value in (device.power, device.power_limit, device.temperature):
            assert value is None or (math.isfinite(value) and value >= 0)
        device.model_dump_json()


@given(st.sampled_from(TEXTS), st.data())
def test_output_that_breaks_off_gives_what_was_whole(text: str, data: st.DataObject) -> None:
    whole = parse_query(text)
    end = data.draw(st.integers(0, len(text)))
    part = parse_query(text[:end])
    assert [card.qid for card in part] == [card.qid for card in whole][: len(part)]
    for before, after in zip(part[:-1], whole, strict=False):
        assert before == after
