"""Texts built from columns: ``Question: {question}``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .cells import plain_text
from .problems import data_error, missing_column
from .table import Row

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True)
class Template:
    """A parsed template: fixed texts, with a column after each but the last."""

    texts: tuple[str, ...]
    columns: tuple[str, ...]

    def fill(self, row: Row) -> str | None:
        """The text for a row; None when every column in it is empty.

        Numbers are written plainly, lists and mappings as JSON, null as nothing.
        """
        values = [plain_text(row.get(column)) for column in self.columns]
        if not any(value.strip() for value in values):
            return None
        pairs = zip(self.texts, [*values, ""], strict=True)
        return "".join(text + value for text, value in pairs)


def parse_template(text: str, columns: Iterable[str], key: str) -> Template:
    """Parse a template; ``{{`` and ``}}`` stand for braces.

    Args:
        text: the template.
        columns: the columns there are.
        key: the spec key it stands under, for error texts.

    Raises:
        DataError: a lone brace, an unknown column, quotes inside the braces, or no column.
    """
    if re.match(r"f['\"]", text):
        raise data_error("is written like a Python f-string; leave out the f and the quotes", key)
    texts, named, start = [""], list[str](), 0
    for match in _PIECE.finditer(text):
        texts[-1] += text[start : match.start()]
        start = match.end()
        piece = match.group()
        if piece in ("{{", "}}"):
            texts[-1] += piece[0]
        elif piece in ("{", "}"):
            raise data_error(
                f"has a lone {piece} at character {match.start() + 1}; "
                f"write {piece * 2} for the character itself",
                key,
            )
        else:
            named.append(_column(match.group(1), columns, key))
            texts.append("")
    texts[-1] += text[start:]
    if not named:
        raise data_error("names no column; put one in braces, such as {question}", key)
    return Template(tuple(texts), tuple(named))


def _column(name: str, columns: Iterable[str], key: str) -> str:
    known = list(columns)
    if name in known:
        return name
    bare = name.strip().strip("'\"").strip()
    if bare in known:
        raise data_error(f"write {{{bare}}} instead of {{{name}}}", key)
    raise data_error(missing_column(bare, known), key)
