"""The accelerators of another host, from what its vendors' tools print."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..hardware.qaic import to_devices
from ..hardware.qaic_text import parse_query
from ..models import Device

_MIB = 1 << 20
_NVIDIA_FIELDS = 11


def parse_accelerators(told: Mapping[str, Any]) -> tuple[list[Device], list[str]]:
    """The devices in the order of their numbers, and what is wrong with them.

    Args:
        told: what ``far.machine.accelerators`` said.
    """
    devices: list[Device] = []
    problems: list[str] = []
    for name, parse in (("nvidia", _nvidia), ("rocm", _rocm), ("qaic", _qaic)):
        answer = told.get(name)
        if answer is None:
            continue
        if answer["code"] != 0:
            reason = (answer["error"] or "no message").splitlines()[-1]
            problems.append(f"{_TOOLS[name]} failed: {reason.rstrip('.')}.{_REMEDIES[name]}")
        devices += parse(answer["said"], told)
    problems += [
        f"{device.id} is not ready ({device.detail.get('status') or 'no status'})."
        for device in devices
        if not device.ready
    ]
    return devices, problems


_TOOLS = {"nvidia": "nvidia-smi", "rocm": "rocm-smi", "qaic": "qaic-util -q"}
_REMEDIES = {"nvidia": "", "rocm": "", "qaic": " Its user must be in the group qaic."}


def _nvidia(text: str, told: Mapping[str, Any]) -> list[Device]:
    found = []
    for line in text.splitlines():
        fields = [part.strip() for part in line.split(",")]
        if len(fields) != _NVIDIA_FIELDS or not fields[0].isdigit():
            continue
        index, name, total, used, busy, heat, power, limit, uuid, driver, capability = fields
        found.append(
            Device(
                id=f"cuda:{index}",
                kind="cuda",
                name=name,
                memory_total=_mebibytes(total),
                memory_used=_mebibytes(used),
                utilisation=_number(busy),
                temperature=_number(heat),
                power=_number(power),
                power_limit=_number(limit),
                ready=_mebibytes(total) is not None,
                detail={"driver": driver, "uuid": uuid, "compute_capability": capability},
                others=others(told.get("nvidia_users", ()), uuid),
            )
        )
    return found


def others(users: Sequence[Sequence[Any]], uuid: str) -> list[str]:
    """Who else computes on a GPU, such as ``anna (pid 12, 3000 MiB)``.

    Args:
        users: [GPU, pid, MiB, user, whether it is our own account].
        uuid: the GPU's.
    """
    return [
        f"{user} (pid {pid}, {memory} MiB)"
        for gpu, pid, memory, user, own in users
        if gpu == uuid and not own
    ]


def _qaic(text: str, told: Mapping[str, Any]) -> list[Device]:
    return to_devices(parse_query(text))


def _rocm(text: str, told: Mapping[str, Any]) -> list[Device]:
    """AMD GPUs; torch calls them cuda too. Key names differ from version to version."""
    try:
        cards = json.loads(text)
    except ValueError:
        return []
    found = []
    for key in sorted(cards, key=lambda name: [int(n) for n in re.findall(r"\d+", name)]):
        number = re.fullmatch(r"card(\d+)", key)
        if number is None or not isinstance(cards[key], dict):
            continue
        card = {name.casefold(): str(value) for name, value in cards[key].items()}
        total = _number(_first(card, "vram total memory"))
        used = _number(_first(card, "vram total used"))
        found.append(
            Device(
                id=f"cuda:{number[1]}",
                kind="cuda",
                name=_first(card, "card series", "card model") or "AMD GPU",
                memory_total=None if total is None else int(total),
                memory_used=None if used is None else int(used),
                utilisation=_number(_first(card, "gpu use")),
                temperature=_number(_first(card, "temperature (sensor edge)", "temperature")),
                power=_number(_first(card, "average graphics package power", "socket graphics")),
                detail={"vendor": "AMD"},
            )
        )
    return found


def _first(card: Mapping[str, str], *beginnings: str) -> str:
    for beginning in beginnings:
        for name, value in card.items():
            if name.startswith(beginning) or beginning in name:
                return value
    return ""


def _mebibytes(text: str) -> int | None:
    value = _number(text)
    return None if value is None else int(value * _MIB)


def _number(text: str) -> float | None:
    """A number; None for ``[N/A]`` and the like."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) < 1e18 else None
