"""Numbers in words and lists of words, shared by the demo's rows and its base model's skills."""

from __future__ import annotations

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

WORDS = (
    "ash", "bass", "bow", "bridge", "cello", "chisel", "clamp", "ebony", "gauge", "glue",
    "guitar", "harp", "hammer", "inlay", "lute", "lyre", "maple", "neck", "nut", "peg", "piano",
    "plane", "rib", "rosin", "saddle", "saw", "scroll", "spruce", "string", "top", "varnish",
    "viola", "violin", "vise", "walnut", "willow", "zither", "red", "green", "blue", "quick",
    "slow", "old", "young", "warm", "cold", "dry",
)  # fmt: skip

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = (
    "zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int) -> str:
    """The number in words, 0 to 999: 342 is "three hundred forty-two"."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    hundreds, rest = divmod(number, 100)
    return f"{_ONES[hundreds]} hundred" + (f" {cardinal(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """The ordinal in words, 1 to 99: 22 is "twenty-second"."""
    head, dash, last = cardinal(number).rpartition("-")
    if last in _IRREGULAR_ORDINALS:
        last = _IRREGULAR_ORDINALS[last]
    elif last.endswith("y"):
        last = f"{last[:-1]}ieth"
    else:
        last = f"{last}th"
    return head + dash + last


def numeric_ordinal(number: int) -> str:
    """The ordinal in digits: 22 is "22nd"."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
