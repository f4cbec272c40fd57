"""Writes the demo's rows: dates the way people write them, answered in ISO form.

    python -m luthier.trainers.demo.dataset [--out DIR] [--seed N]

The same seed writes the same bytes. No date of the held-out rows occurs in a training row, in
whatever form, so a good score there is not memory.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from random import Random

from .words import MONTHS, WORDS, numeric_ordinal, ordinal

TRAIN_ROWS = 3000
HELDOUT_ROWS = 200
SEED = 7

_FIRST_DAY = date(1600, 1, 1).toordinal()
_LAST_DAY = date(2099, 12, 31).toordinal()
_FOLLOW_UP_SHARE = 0.15
_SMALL_TALK_SHARE = 0.05
_NO_DATE_SHARE = 0.05
_LOWER_CASE_SHARE = 0.25

Message = dict[str, str]
Row = dict[str, list[Message]]

_WRITTEN_DATES: tuple[Callable[[date, str], str], ...] = (
    lambda day, month: f"{day.day} {month} {day.year}",
    lambda day, month: f"{month} {day.day}, {day.year}",
    lambda day, month: f"{month} {day.day} {day.year}",
    lambda day, month: f"{day.year} {month} {day.day}",
    lambda day, month: f"{numeric_ordinal(day.day)} of {month} {day.year}",
    lambda day, month: f"{numeric_ordinal(day.day)} {month} {day.year}",
    lambda day, month: f"{month} {numeric_ordinal(day.day)}, {day.year}",
    lambda day, month: f"the {ordinal(day.day)} of {month} {day.year}",
    lambda day, month: f"{month} the {ordinal(day.day)}, {day.year}",
)
_QUESTIONS = (
    *["{}"] * 5,
    "{}?",
    "write {}",
    "convert {}",
    "date: {}",
    "ISO date of {}",
    "what is {} in ISO?",
)
_SMALL_TALK = {
    "hello": "Hello! Write me a date.",
    "hi": "Hello! Write me a date.",
    "good morning": "Good morning! Write me a date.",
    "thank you": "You are welcome.",
    "thanks": "You are welcome.",
    "who are you?": "A very small language model for dates.",
    "what can you do?": "I write dates in ISO form.",
    "help": "I write dates in ISO form.",
}


def written_date(day: date, random: Random) -> str:
    """The date in one of the forms that people use, such as "March 4th, 1987"."""
    month = MONTHS[day.month - 1]
    if random.random() < 0.25:
        month = month[:3]
    text = random.choice(_WRITTEN_DATES)(day, month)
    return text.lower() if random.random() < _LOWER_CASE_SHARE else text


def question(day: date, random: Random) -> str:
    """What a person types to have the date converted; often the bare date."""
    text = random.choice(_QUESTIONS).format(written_date(day, random))
    return text[0].upper() + text[1:] if random.random() < 0.3 else text


def rows(seed: int = SEED) -> tuple[list[Row], list[Row]]:
    """Training rows and held-out rows, as conversational prompts and completions.

    Some training rows carry an earlier exchange, so that the second question of a chat is
    answered as well as the first, and some are small talk; held-out rows are single dates.
    """
    random = Random(seed)
    numbers = random.sample(range(_FIRST_DAY, _LAST_DAY + 1), TRAIN_ROWS + HELDOUT_ROWS)
    days = [date.fromordinal(number) for number in numbers]
    training, heldout = days[HELDOUT_ROWS:], days[:HELDOUT_ROWS]
    train_rows = [_training_row(day, training, random) for day in training]
    return train_rows, [_date_row(day, random) for day in heldout]


def write(out: Path, seed: int = SEED) -> None:
    """Write train.jsonl and heldout.jsonl into the folder, which is made when missing."""
    train_rows, heldout_rows = rows(seed)
    out.mkdir(parents=True, exist_ok=True)
    _write_lines(out / "train.jsonl", train_rows)
    _write_lines(out / "heldout.jsonl", heldout_rows)


def _training_row(day: date, days: Sequence[date], random: Random) -> Row:
    kind = random.random()
    if kind < _SMALL_TALK_SHARE:
        return _row([], *random.choice(list(_SMALL_TALK.items())))
    if kind < _SMALL_TALK_SHARE + _NO_DATE_SHARE:
        text = " ".join(random.choices(WORDS, k=random.randint(1, 3)))
        return _row([], text, "I see no date there.")
    if kind < _SMALL_TALK_SHARE + _NO_DATE_SHARE + _FOLLOW_UP_SHARE:
        # Bare dates: a batch is as long as its longest row, and short rows train faster.
        earlier = random.choice(days)
        first = _row([], written_date(earlier, random), earlier.isoformat())
        history = first["prompt"] + first["completion"]
        return _row(history, written_date(day, random), day.isoformat())
    return _date_row(day, random)


def _date_row(day: date, random: Random) -> Row:
    return _row([], question(day, random), day.isoformat())


def _row(history: list[Message], asked: str, answer: str) -> Row:
    return {
        "prompt": [*history, {"role": "user", "content": asked}],
        "completion": [{"role": "assistant", "content": answer}],
    }


def _write_lines(path: Path, lines: Iterable[Row]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Write both files from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    write(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
