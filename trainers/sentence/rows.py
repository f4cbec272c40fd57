"""How the sentence transformer tasks read and check their rows. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..data.cells import MistakeError
from ..data.classes import ClassRules
from ..data.records import Cells, Record
from ..data.rules import RowRules, S
from ..data.table import where_all
from ..errors import Problem


class _Texts(RowRules[S]):
    """Rows of texts, of which some may not be the same."""

    texts: ClassVar[tuple[str, ...]]

    different: ClassVar[tuple[str, str]]
    """The roles whose texts must differ."""

    def read(self, cells: Cells) -> dict[str, Any]:
        values: dict[str, Any] = {role: cells.text(role) for role in self.texts}
        first, second = self.different
        if values[first].strip() == values[second].strip():
            names = f"{cells.name(first)} and {cells.name(second)}"
            raise MistakeError(f"{names} are the same text; there is nothing to learn from it")
        return values

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        if len(splits["train"]) < 2:
            yield Problem("one training row has no others to be told from; more are needed", "data")


class PairRows(_Texts[S]):
    """Two texts that belong together."""

    texts = different = ("sentence1", "sentence2")


class QuestionRows(_Texts[S]):
    """A question and the passage that answers it."""

    texts = different = ("question", "answer")


class TripletRows(_Texts[S]):
    """A text, one that belongs to it, and one that does not."""

    texts = ("anchor", "positive", "negative")
    different = ("positive", "negative")


class ScoreRows(RowRules[S]):
    """Two texts, and how similar they are."""

    def read(self, cells: Cells) -> dict[str, Any]:
        texts = {role: cells.text(role) for role in PairRows.texts}
        return {**texts, "score": cells.number("score")}

    def problems(self, splits: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
        for records in splits.values():
            yield from self._out_of_range(records)
        if len({record.values["score"] for record in splits["train"]}) == 1:
            yield Problem(
                "every training row has the same score; there is nothing to learn", "data"
            )

    def _out_of_range(self, records: Sequence[Record]) -> Iterator[Problem]:
        training: Any = self.spec
        if training.training.loss != "cosine-similarity":
            return
        places = [each.where for each in records if abs(each.values["score"]) > 1]
        if places:
            text = "has a score beyond -1 to 1, which training.loss cosine-similarity cannot reach"
            yield Problem(f"{text}; use cosent, or divide the scores", where_all(places))


class PairClassRows(ClassRules[S]):
    """Two texts, and the class of their relation."""

    def read(self, cells: Cells) -> dict[str, Any]:
        values = {**{role: cells.text(role) for role in PairRows.texts}, **self.read_labels(cells)}
        if values["several"]:
            raise MistakeError(f"{cells.name(self.role)} is a list; every pair has one class")
        return values
