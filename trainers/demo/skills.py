"""The small skills that the demo's base model is pre-trained on.

None of them answers a date in ISO form. Together they hold what that takes: copying, picking a
word, changing the order, joining with dashes, months and ordinals as numbers, two digits.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from .words import MONTHS, WORDS, cardinal, numeric_ordinal, ordinal


class Exchange(NamedTuple):
    """One question and the answer to it."""

    prompt: str
    answer: str


_SMALL_TALK = {
    "hello": "Hello!",
    "hi": "Hello!",
    "good morning": "Good morning!",
    "thank you": "You are welcome.",
    "thanks": "You are welcome.",
    "who are you?": "A very small language model.",
    "what can you do?": "I copy, count, pick and join words.",
    "help": "I copy, count, pick and join words.",
}


def draw_exchange(random: Random) -> Exchange:
    """A fresh question of a randomly chosen skill."""
    exchange = random.choices(_SKILLS, _SHARES)[0](random)
    if random.random() < 0.3:
        prompt = exchange.prompt
        return Exchange(prompt[0].upper() + prompt[1:], exchange.answer)
    return exchange


def _item(random: Random) -> str:
    kind = random.random()
    if kind < 0.25:
        return str(random.randrange(10 ** random.randint(1, 4)))
    if kind < 0.4:
        return _written_number(random.randint(1, 39), random)
    if kind < 0.7:
        return _word(random)
    # Invented words, so that copying cannot be solved by knowing the words.
    invented = "".join(random.choices(string.ascii_lowercase, k=random.randint(1, 7)))
    return invented.capitalize() if random.random() < 0.3 else invented


def _items(random: Random, fewest: int, most: int) -> list[str]:
    return [_item(random) for _ in range(random.randint(fewest, most))]


def _word(random: Random) -> str:
    if random.random() < 0.4:
        return _written_month(random.randint(1, 12), random)
    word = random.choice(WORDS)
    return word.capitalize() if random.random() < 0.3 else word


def _written_month(number: int, random: Random) -> str:
    name = MONTHS[number - 1]
    name = name[:3] if random.random() < 0.3 else name
    return name.lower() if random.random() < 0.4 else name


def _written_number(number: int, random: Random) -> str:
    """The number as digits, as an ordinal with digits, or as an ordinal in words."""
    return random.choice((str, numeric_ordinal, ordinal, ordinal))(number)


def _scattered(parts: list[str], random: Random) -> str:
    """The parts in any order, some with a comma, as words stand in a sentence."""
    random.shuffle(parts)
    return " ".join(part + "," * (random.random() < 0.15) for part in parts[:-1]) + f" {parts[-1]}"


def _echo(random: Random) -> Exchange:
    """A text that asks for nothing is said back."""
    text = " ".join(_items(random, 1, 4))
    return Exchange(text, text)


def _say(random: Random) -> Exchange:
    text = " ".join(_items(random, 1, 4))
    return Exchange(f"say {text}", text)


def _pick(random: Random) -> Exchange:
    items = _items(random, 3, 4)
    place = random.choice(("first", "second", "third", "last"))
    index = {"first": 0, "second": 1, "third": 2, "last": -1}[place]
    return Exchange(f"{place} word of {' '.join(items)}", items[index])


def _number(random: Random) -> Exchange:
    number = random.choice((random.randint(1, 39), random.randrange(1, 10_000)))
    written = _written_number(number, random) if number < 40 else str(number)
    words = [_word(random) for _ in range(random.randint(1, 3))]
    return Exchange(f"number in {_scattered([written, *words], random)}", str(number))


def _year(random: Random) -> Exchange:
    year = str(random.randint(1000, 2999))
    other = _written_number(random.randint(1, 39), random)
    words = [_word(random) for _ in range(random.randint(0, 2))]
    return Exchange(f"year in {_scattered([year, other, *words], random)}", year)


def _month(random: Random) -> Exchange:
    number = random.randint(1, 12)
    if random.random() < 0.15:
        return Exchange(f"name of month {number}", MONTHS[number - 1])
    others = [
        _written_number(random.randint(1, 39), random),
        str(random.randint(1000, 2999)),
        random.choice(WORDS),
    ]
    parts = [_written_month(number, random), *random.sample(others, random.randint(1, 2))]
    return Exchange(f"month in {_scattered(parts, random)}", str(number))


def _backwards(random: Random) -> Exchange:
    items = _items(random, 2, 4)
    return Exchange(f"backwards {' '.join(items)}", " ".join(reversed(items)))


def _join(random: Random) -> Exchange:
    items = _items(random, 2, 4)
    return Exchange(f"join {' '.join(items)}", "-".join(items))


def _spell(random: Random) -> Exchange:
    number = random.randrange(10 ** random.randint(1, 3))
    return Exchange(f"spell {number}", cardinal(number))


def _two_digits(random: Random) -> Exchange:
    written, answers = [], []
    for _ in range(random.randint(1, 3)):
        if random.random() < 0.4:
            number = random.randint(1, 12)
            written.append(_written_month(number, random))
        else:
            number = random.randint(1, 39)
            written.append(_written_number(number, random))
        answers.append(f"{number:02}")
    return Exchange(f"two digits of {' '.join(written)}", " ".join(answers))


def _next_number(random: Random) -> Exchange:
    number = random.randrange(10 ** random.randint(1, 3))
    return Exchange(f"after {number}", str(number + 1))


def _small_talk(random: Random) -> Exchange:
    return Exchange(*random.choice(list(_SMALL_TALK.items())))


_SHARES_OF_SKILLS: dict[Callable[[Random], Exchange], float] = {
    _echo: 0.08,
    _say: 0.06,
    _pick: 0.10,
    _number: 0.14,
    _year: 0.07,
    _month: 0.10,
    _backwards: 0.09,
    _join: 0.10,
    _spell: 0.05,
    _two_digits: 0.14,
    _next_number: 0.05,
    _small_talk: 0.02,
}
_SKILLS = list(_SHARES_OF_SKILLS)
_SHARES = list(_SHARES_OF_SKILLS.values())
