"""How the text tasks read and check their rows. Torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..data.cells import EmptyCellError, MistakeError, is_blank, kind_of
from ..data.classes import ClassRules, NumberRules
from ..data.records import Cells, Record, label_of
from ..data.rules import RowRules
from ..data.table import where_all
from ..errors import Problem


class ClassificationRows(ClassRules):
    """text, text_pair when there is one, and the labels."""

    def read(self, cells: Cells) -> dict[str, Any]:
        values: dict[str, Any] = {"text": cells.text("text")}
        if cells.has("text_pair"):
            values["text_pair"] = cells.text("text_pair")
        return {**values, **self.read_labels(cells)}


class RegressionRows(NumberRules):
    """text, text_pair when there is one, and the numbers."""

    def read(self, cells: Cells) -> dict[str, Any]:
        values: dict[str, Any] = {"text": cells.text("text")}
        if cells.has("text_pair"):
            values["text_pair"] = cells.text("text_pair")
        return {**values, **self.read_numbers(cells)}


class TokenRows(RowRules):
    """Words with a tag each."""

    def read(self, cells: Cells) -> dict[str, Any]:
        tokens, tags = cells.items("tokens"), cells.items("tags")
        names = cells.name("tokens"), cells.name("tags")
        for token in tokens:
            if not isinstance(token, str) or not token.strip():
                what = "an empty word" if isinstance(token, str) else kind_of(token)
                raise MistakeError(f"{names[0]} has {what} in it; every token is a text")
        if len(tokens) != len(tags):
            raise MistakeError(
                f"{names[0]} and {names[1]} have different lengths; every token needs one tag"
            )
        return {"tokens": tokens, "tags": [label_of(tag, names[1]) for tag in tags]}

    def classes(self, records: Sequence[Record]) -> dict[str, int]:
        return dict(Counter(tag for record in records for tag in record.values["tags"]))

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        known = self.classes(splits["train"])
        if len(known) == 1:
            text = f"every token has the tag {next(iter(known))!r}; there is nothing to find"
            yield Problem(text, "data")
        found: dict[str, list[str]] = {}
        for record in splits.get("validation", ()):
            for tag in set(record.values["tags"]) - known.keys():
                found.setdefault(tag, []).append(record.where)
        for tag, places in found.items():
            yield Problem(f"has the tag {tag!r}, which no training row has", where_all(places))

    def warnings(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        for records in splits.values():
            places = [record.where for record in records if _starts_inside(record.values["tags"])]
            if places:
                text = "an entity begins with an I- tag; write its first tag with B-"
                yield Problem(text, where_all(places))

    def length(self, record: Record) -> int:
        return sum(map(len, record.values["tokens"]))


def _starts_inside(tags: Sequence[str]) -> bool:
    before = "O"
    for tag in tags:
        if tag.startswith("I-") and before not in (tag, f"B-{tag[2:]}"):
            return True
        before = tag
    return False


class QuestionRows(RowRules):
    """A question, a context, and the answers that stand in it; none where it holds no answer.

    ``values["answers"]`` is a list of (start, text) in characters of the context.
    """

    def read(self, cells: Cells) -> dict[str, Any]:
        question, context = cells.text("question"), cells.text("context")
        name = cells.name("answers")
        answers = self._answers(cells, name)
        found = [_located(context, start, text, name) for start, text in answers]
        return {"question": question, "context": context, "answers": found}

    def _answers(self, cells: Cells, name: str) -> list[tuple[int | None, str]]:
        try:
            raw = cells.value("answers")
        except EmptyCellError:
            return []
        if isinstance(raw, str) and not raw.lstrip().startswith("{"):
            return [(None, raw)]
        value = cells.mapping("answers")
        texts, starts = value.get("text", []), value.get("answer_start")
        texts = [texts] if isinstance(texts, str) else texts
        starts = [starts] if isinstance(starts, int) else starts
        if not isinstance(texts, list) or not isinstance(starts, list | None):
            raise MistakeError(f'{name} is not written {{"text": [...], "answer_start": [...]}}')
        if starts is None:
            return [(None, str(text)) for text in texts]
        if len(texts) != len(starts):
            raise MistakeError(f"{name} has {len(texts)} texts but {len(starts)} starts")
        pairs = list(zip(starts, texts, strict=True))
        # A start of -1 is how some files write that there is no answer.
        kept = [(start, str(text)) for start, text in pairs if start != -1 and not is_blank(text)]
        for start, _ in kept:
            if isinstance(start, bool) or not isinstance(start, int):
                raise MistakeError(f"{name} has the start {start!r}, not a whole number")
        return kept

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        if not any(record.values["answers"] for record in splits["train"]):
            yield Problem("no training row has an answer; there is nothing to find", "data")

    def shown(self, record: Record) -> dict[str, Any]:
        return {**record.values, "answers": [text for _, text in record.values["answers"]]}


def _located(context: str, start: int | None, text: str, name: str) -> tuple[int, str]:
    """The answer with its place. Raises MistakeError when it does not stand there."""
    if start is None:
        place = context.find(text)
        if place < 0:
            raise MistakeError(f"the answer in {name} does not stand in the context")
        return place, text
    if start < 0 or context[start : start + len(text)] != text:
        place = context.find(text)
        if place < 0:
            raise MistakeError(f"the answer in {name} does not stand in the context")
        raise MistakeError(
            f"the answer in {name} does not stand where answer_start says; the context has it "
            "elsewhere (starts count characters from 0)"
        )
    return start, text


class PairRows(RowRules):
    """A text and the text to make of it."""

    def read(self, cells: Cells) -> dict[str, Any]:
        return {"text": cells.text("text"), "target": cells.text("target")}
