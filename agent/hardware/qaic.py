"""Qualcomm Cloud AI cards, as ``qaic-util`` of their Platform SDK tells of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from ..models import Device
from .pci import PCI_FOLDER, PciCard, pci_cards
from .qaic_text import QaicCard, parse_query

INSTALLED_TOOL = Path("/opt/qti-aic/tools/qaic-util")
_QUERY_SECONDS = 15.0
_VENDOR = 0x17CB
_MODELS = {0xA100: "100", 0xA080: "80", 0xA110: "200"}
_TEXTS = {
    "Status": "status",
    "Board serial": "board_serial",
    "PCI Address": "pci_address",
    "Dev Link": "dev_link",
    "FW Version": "fw_version",
    "Device Capabilities": "capabilities",
}
_COUNTS = {
    "Nsp Total": "nsp_total",
    "Nsp Free": "nsp_free",
    "Networks Loaded": "networks_loaded",
    "Networks Active": "networks_active",
}


class QaicDevices:
    """Asks ``qaic-util``.

    Args:
        tool: where the SDK puts the program; the search path is looked at after that.
        pci_folder: where the kernel lists PCI cards.
    """

    def __init__(self, tool: Path = INSTALLED_TOOL, pci_folder: Path = PCI_FOLDER) -> None:
        self._tool = tool
        self._pci_folder = pci_folder
        self._stuck: subprocess.Popen[str] | None = None

    def devices(self) -> tuple[list[Device], list[str]]:
        """The devices by QID, and what is wrong with them."""
        plugged_in = [
            card
            for card in pci_cards(self._pci_folder)
            if card.vendor == _VENDOR and card.device in _MODELS
        ]
        tool = self._find_tool()
        if tool is None:
            return [], _without_tool(plugged_in)
        text, problem = self._query(tool)
        cards = parse_query(text)
        problems = [problem] if problem else []
        if plugged_in and not cards and not problem:
            problems = [f"`{tool} -q` lists none of the {_count(plugged_in)} on the PCI bus."]
        problems += [
            f"qaic:{card.qid} is not ready, its status is {card.status}."
            for card in cards
            if not card.ready
        ]
        return to_devices(cards), problems

    def _find_tool(self) -> str | None:
        if os.access(self._tool, os.X_OK):
            return str(self._tool)
        return shutil.which("qaic-util")

    def _query(self, tool: str) -> tuple[str, str]:
        """What the tool prints, or why it prints nothing."""
        hangs = f"`{tool} -q` does not answer; the driver of a card may hang."
        if self._stuck is not None:
            if self._stuck.poll() is None:
                return "", hangs
            self._stuck = None
        try:
            process = subprocess.Popen(
                [tool, "-q"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            return "", f"`{tool}` cannot be run: {error.strerror}."
        try:
            output, complaint = process.communicate(timeout=_QUERY_SECONDS)
        except subprocess.TimeoutExpired:
            # A process that hangs in the driver outlives SIGKILL too, so nobody waits for it.
            process.kill()
            self._stuck = process
            return "", hangs
        if process.returncode == 0:
            return output, ""
        lines = [line for line in (complaint or output).splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"code {process.returncode}"
        return "", f"`{tool} -q` failed: {reason}. Its user must be in the group qaic."


def to_devices(cards: Sequence[QaicCard]) -> list[Device]:
    """The devices of a report.

    A board's power is printed again for each of its devices, so each gets its part of it: the sum
    over the devices is what the boards draw.
    """
    power = _parts(cards, lambda card: card.board_power)
    limit = _parts(cards, lambda card: card.board_power_limit)
    return [
        Device(
            id=f"qaic:{card.qid}",
            kind="qaic",
            name=_name(card),
            memory_total=card.memory_total,
            memory_used=card.memory_used,
            utilisation=card.utilisation,
            temperature=card.number("SoC temperature(degree C)"),
            power=power.get(card.qid),
            power_limit=limit.get(card.qid),
            ready=card.ready,
            detail={
                **{key: card.text(name) for name, key in _TEXTS.items()},
                **{key: card.count(name) for name, key in _COUNTS.items()},
                "board_power": card.board_power,
                "soc_power": card.number("SOC power(Watts)"),
            },
        )
        for card in cards
    ]


def _parts(
    cards: Sequence[QaicCard], value: Callable[[QaicCard], float | None]
) -> dict[int, float]:
    """Each device's part of a value of its board, by QID."""
    boards: dict[str | int, dict[int, float]] = {}
    for card in cards:
        told = value(card)
        if told is not None:
            boards.setdefault(card.board or card.qid, {})[card.qid] = told
    return {qid: max(told.values()) / len(told) for told in boards.values() for qid in told}


def _name(card: QaicCard) -> str:
    model = re.search(r"Device (a[0-9]{3})\b", card.text("PCI Info") or "")
    number = _MODELS.get(int(model[1], 16)) if model else None
    return " ".join(filter(None, ["Qualcomm Cloud AI", number, card.text("Sku Type")]))


def _without_tool(plugged_in: Sequence[PciCard]) -> list[str]:
    if not plugged_in:
        return []
    found = _count(plugged_in)
    return [
        f"{found} found but qaic-util missing: install the Platform SDK, or put it on the PATH."
    ]


def _count(cards: Sequence[PciCard]) -> str:
    return f"{len(cards)} Qualcomm Cloud AI device{'' if len(cards) == 1 else 's'}"
