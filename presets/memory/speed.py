"""What devices can do, by name: the base of a guess where nothing was measured.

Half-precision products with dense matrices, 32-bit ones, and memory bandwidth, from the makers'
data sheets. A run reaches a part of them only: ``SHARE``.
"""

from __future__ import annotations

from dataclasses import dataclass

from .workload import DeviceFacts

SHARE = 0.4
"""Of the peak that a training step reaches. torchtune's published speeds are near half of an A100's
peak with compiled layers, and the libraries without compilation stay below that."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Peak operations a second in half and in single precision, bytes a second of memory."""

    half: float
    single: float
    bandwidth: float
    known: bool = True


_TABLE: tuple[tuple[str, float, float, float], ...] = (
    # name, half (10^12/s), single (10^12/s), bandwidth (10^9 B/s); longer names come first
    ("B200", 2250, 75, 8000),
    ("H200", 989, 67, 4800),
    ("H100 NVL", 835, 60, 3900),
    ("H100 PCIE", 756, 51, 2000),
    ("H100", 989, 67, 3350),
    ("GH200", 989, 67, 4000),
    ("H20", 148, 44, 4000),
    ("A100-SXM4-40GB", 312, 19.5, 1555),
    ("A100", 312, 19.5, 1935),
    ("A800", 312, 19.5, 1935),
    ("A10G", 125, 31, 600),
    ("A10", 125, 31, 600),
    ("A30", 165, 10, 933),
    ("A40", 150, 37, 696),
    ("L40S", 362, 92, 864),
    ("L40", 181, 90, 864),
    ("L4", 121, 30, 300),
    ("T4", 65, 8.1, 320),
    ("V100", 112, 14, 900),
    ("P100", 19, 9.5, 732),
    ("RTX PRO 6000", 500, 125, 1792),
    ("RTX 6000 ADA", 364, 91, 960),
    ("RTX A6000", 155, 39, 768),
    ("RTX A5000", 111, 28, 768),
    ("RTX A4000", 77, 19, 448),
    ("RTX 5090", 209, 105, 1792),
    ("RTX 5080", 113, 56, 960),
    ("RTX 5070 TI", 88, 44, 896),
    ("RTX 5070", 62, 31, 672),
    ("RTX 4090", 165, 83, 1008),
    ("RTX 4080", 98, 49, 717),
    ("RTX 4070", 58, 29, 504),
    ("RTX 4060", 30, 15, 272),
    ("RTX 3090", 71, 36, 936),
    ("RTX 3080", 60, 30, 760),
    ("RTX 3070", 41, 20, 448),
    ("RTX 3060", 25, 13, 360),
    ("RTX 2080 TI", 54, 13, 616),
    ("AI 100", 100, 8, 137),
)
_UNKNOWN = {"cuda": Speed(60e12, 15e12, 500e9, False), "qaic": Speed(100e12, 8e12, 137e9, False)}
_CORE = 25e9
"""Operations a second of one processor core in 32 bits, as matrix products reach them."""
_HOST_BANDWIDTH = 20e9


def speed_of(device: DeviceFacts) -> Speed:
    """The speed of a device by its name; of a middling one where the name is not known."""
    if device.kind == "cpu":
        # Matrix products already, so a share of it would be taken twice.
        whole = _CORE * max(1, device.cores) / SHARE
        return Speed(whole, whole, _HOST_BANDWIDTH / SHARE, False)
    name = device.name.upper().replace("GEFORCE ", "").replace("NVIDIA ", "")
    for known, half, single, bandwidth in _TABLE:
        if known in name:
            return Speed(half * 1e12, single * 1e12, bandwidth * 1e9)
    return _UNKNOWN[device.kind]
