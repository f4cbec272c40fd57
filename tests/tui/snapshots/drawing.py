"""A terminal's screen as SVG: a still, or a film that shows one screen after the other.

Nothing is fetched by whoever looks at it, and the same cells always give the same bytes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from rich.color import blend_rgb
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME, TerminalTheme

_WIDE, _HIGH = 8.4, 17
_MARGIN = 10
_FONT = (
    "font-family:ui-monospace,'Cascadia Mono','JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,"
    "monospace;font-size:14px;white-space:pre"
)
_DIM = 0.4


@dataclass(frozen=True)
class Piece:
    """Neighbouring cells that look alike. Colours are ``#rrggbb``."""

    text: str
    color: str
    background: str
    bold: bool = False
    italic: bool = False
    underline: bool = False

    @property
    def cells(self) -> int:
        """How wide it is."""
        return sum(2 if unicodedata.east_asian_width(each) in "WF" else
                   0 if unicodedata.combining(each) else 1 for each in self.text)  # fmt: skip


Row = tuple[Piece, ...]


def rows_of(app: Any) -> list[Row]:
    """What a Textual app shows, with the screens below a dialog."""
    update = app.screen._compositor.render_update(
        full=True, screen_stack=app._background_screens, simplify=True
    )
    theme = SVG_EXPORT_THEME if app.current_theme.dark else DEFAULT_TERMINAL_THEME
    return [
        joined(
            _piece(each.text, each.style or Style(), theme)
            for strip in line for each in strip if each.text
        )
        for line in update.strips
    ]  # fmt: skip


def _piece(text: str, style: Style, theme: TerminalTheme) -> Piece:
    color = theme.foreground_color if style.color is None else style.color.get_truecolor(theme)
    below = (
        theme.background_color
        if style.bgcolor is None or style.bgcolor.is_default
        else style.bgcolor.get_truecolor(theme)
    )
    if style.reverse:
        color, below = below, color
    if style.dim:
        color = blend_rgb(color, below, _DIM)
    look = bool(style.bold), bool(style.italic), bool(style.underline)
    return Piece(text, color.hex, below.hex, *look)


def joined(pieces: Iterable[Piece]) -> Row:
    """The same cells in as few pieces as can be; the colour of blanks does not count."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last and (replace(last, text="") == replace(piece, text="") or (
            not piece.text.strip() and piece.background == last.background and not last.underline
        )):  # fmt: skip
            found[-1] = replace(last, text=last.text + piece.text)
        else:
            found.append(piece)
    return tuple(found)


class _Looks:
    """The styles of a picture, by the classes that have them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, rules: str) -> str:
        return self._names.setdefault(rules, f"s{len(self._names)}")

    @property
    def sheet(self) -> str:
        return "".join(f".{name}{{{rules}}}" for rules, name in self._names.items())


def _row_of(row: Row, looks: _Looks, ground: str) -> str:
    """One line, its top at 0."""
    boxes, texts, x = [], [], 0
    for piece in row:
        wide = piece.cells
        if piece.background != ground:
            box = f"fill:{piece.background}"
            boxes.append(f'<rect class="{looks.name(box)}" x="{_at(x)}" width="{_at(wide)}" '
                         f'height="{_HIGH}"/>')  # fmt: skip
        words = piece.text.strip(" ")
        if words or piece.underline:
            words = words or piece.text
            begin = x + len(piece.text) - len(piece.text.lstrip(" "))
            length = replace(piece, text=words).cells
            place = f'class="{looks.name(_rules(piece))}" x="{_at(begin)}" y="13"'
            shown = escape(words, quote=False)
            texts.append(f'<text {place} textLength="{_at(length)}">{shown}</text>')
        x += wide
    return "".join([*boxes, *texts])


def _rules(piece: Piece) -> str:
    rules = [f"fill:{piece.color}"]
    rules += ["font-weight:bold"] if piece.bold else []
    rules += ["font-style:italic"] if piece.italic else []
    rules += ["text-decoration:underline"] if piece.underline else []
    return ";".join(rules)


def _at(cells: float) -> str:
    return f"{cells * _WIDE:g}"


def _frame(width: int, height: int, looks: _Looks, ground: str, inside: str, more: str = "") -> str:
    wide, high = round(width * _WIDE + 2 * _MARGIN, 1), height * _HIGH + 2 * _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high}" '
        f'width="{wide:g}" height="{high}">\n'
        f"<style>text{{{_FONT}}}rect{{shape-rendering:crispEdges}}{looks.sheet}{more}</style>\n"
        f'<rect width="{wide:g}" height="{high}" rx="8" fill="{ground}"/>\n'
        f'<g transform="translate({_MARGIN} {_MARGIN})">\n{inside}</g>\n</svg>\n'
    )


def _ground(rows: Sequence[Row]) -> str:
    """The background that most cells have."""
    counts: dict[str, int] = {}
    for row in rows:
        for piece in row:
            counts[piece.background] = counts.get(piece.background, 0) + piece.cells
    return max(counts, key=lambda color: counts[color], default="#000000")


def still(rows: Sequence[Row]) -> str:
    """One screen."""
    looks, ground = _Looks(), _ground(rows)
    inside = "".join(
        f'<g transform="translate(0 {y * _HIGH})">{_row_of(row, looks, ground)}</g>\n'
        for y, row in enumerate(rows)
    )
    return _frame(_width(rows), len(rows), looks, ground, inside)


def _width(rows: Sequence[Row]) -> int:
    return max((sum(piece.cells for piece in row) for row in rows), default=0)


def film(frames: Sequence[tuple[float, Sequence[Row]]]) -> str:
    """Screens one after the other, again and again.

    A line is drawn once for as long as it stays the same, so that little motion is a small file.

    Args:
        frames: seconds and the screen that is seen for so long.
    """
    total = sum(seconds for seconds, _ in frames)
    height = max(len(rows) for _, rows in frames)
    looks, ground = _Looks(), _ground(frames[0][1])
    times: dict[tuple[float, float], str] = {}
    inside = []
    for y in range(height):
        for begin, end, row in _stays([(s, rows[y]) for s, rows in frames if y < len(rows)]):
            drawn = _row_of(row, looks, ground)
            if begin == 0 and end == total:
                inside.append(f'<g transform="translate(0 {y * _HIGH})">{drawn}</g>\n')
                continue
            name = times.setdefault((begin, end), f"t{len(times)}")
            inside.append(f'<g class="f {name}" transform="translate(0 {y * _HIGH})">{drawn}</g>\n')
    sheet = [f".f{{visibility:hidden;animation:{total:g}s step-end infinite}}"]
    for (begin, end), name in times.items():
        sheet.append(f".{name}{{animation-name:{name}}}{_keyframes(name, begin, end, total)}")
    return _frame(_width(frames[0][1]), height, looks, ground, "".join(inside), "".join(sheet))


def _stays(rows: Sequence[tuple[float, Row]]) -> Iterable[tuple[float, float, Row]]:
    """From when to when each line is the same."""
    begin = now = 0.0
    before = rows[0][1]
    for seconds, row in rows:
        if row != before:
            yield begin, now, before
            begin, before = now, row
        now = round(now + seconds, 3)
    yield begin, now, before


def _keyframes(name: str, begin: float, end: float, total: float) -> str:
    first, last = f"{100 * begin / total:.2f}%", f"{100 * end / total:.2f}%"
    start = "" if begin == 0 else "0%{visibility:hidden}"
    stop = "" if end >= total else f"{last}{{visibility:hidden}}"
    final = "visible" if end >= total else "hidden"
    return (
        f"@keyframes {name}{{{start}{first}{{visibility:visible}}{stop}100%{{visibility:{final}}}}}"
    )
