"""The colours of pictures by what they stand for, in every theme.

Rich knows no transparency, so colours that a theme gives as a share of another are mixed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.style import Style
from textual.color import Color

CURVES = 8
"""How many curves have a colour of their own."""

# Curves that no theme has a colour for: on dark, on light, and by the terminal's own names.
_OWN = {
    "line-3": ("#d17fb5", "#a03b7f", "ansi_magenta"),
    "line-4": ("#5fc4bd", "#0d7d76", "ansi_cyan"),
    "line-6": ("#a89cd9", "#5f4fb0", "ansi_bright_blue"),
}
_THEMED = {
    "line-0": "primary",
    "line-1": "secondary",
    "line-2": "text-success",
    "line-5": "text-error",
    "line-7": "foreground",
    "key": "secondary",
    "cross": "accent",
    "good": "text-success",
    "warning": "text-warning",
    "error": "text-error",
    "bar": "primary",
}
_CURSOR = "block-cursor-blurred"
_USED = (
    *_THEMED.values(),
    *("background", "text-muted", f"{_CURSOR}-background", f"{_CURSOR}-foreground"),
)
_FAINT = 0.3
_MUTED = 0.65
# The spread below a smoothed curve: the curve's colour, fainter.
_RAW = "raw-"


def style_of(name: str, variables: Mapping[str, str], *, dark: bool, ansi: bool) -> Style:
    """How something with that name is drawn over a picture's background.

    Args:
        name: ``line-N`` and ``raw-N`` for curve N, ``axis``, ``label`` and others; one that is not
            known changes nothing.
        variables: the theme's.
        ansi: the theme has the terminal's own colours, which cannot be mixed.
    """
    used = tuple(variables.get(key, "ansi_default") for key in _USED)
    return _styles(used, dark, ansi).get(name, Style.null())


@lru_cache(maxsize=8)
def _styles(used: tuple[str, ...], dark: bool, ansi: bool) -> dict[str, Style]:
    colors = dict(zip(_USED, used, strict=True))
    styles = {name: _ink(colors[key]) for name, key in _THEMED.items()}
    column = 2 if ansi else 0 if dark else 1
    styles |= {name: _ink(own[column]) for name, own in _OWN.items()}
    styles |= {
        f"{_RAW}{number}": styles[f"line-{number}"] + Style(dim=True) for number in range(CURVES)
    }
    styles |= dict.fromkeys(("name", "title"), Style(bold=True))
    return styles | (_drawn_ansi(colors) if ansi else _mixed(colors))


def _drawn_ansi(colors: Mapping[str, str]) -> dict[str, Style]:
    faint, turned = _ink("ansi_bright_black"), Style(reverse=True)
    return {
        **dict.fromkeys(("axis", "rest"), faint),
        "label": Style(dim=True),
        **dict.fromkeys(("cursor", "selected"), turned),
        "found": _ink(colors["text-warning"]) + turned,
    }


def _mixed(colors: Mapping[str, str]) -> dict[str, Style]:
    ground, ink = Color.parse(colors["background"]), Color.parse(colors["foreground"])
    faint = Style.from_color(ground.blend(ink, _FAINT).rich_color)
    muted = colors["text-muted"]
    label = ground.blend(ink, _MUTED) if muted.startswith("auto") else Color.parse(muted)
    marked = Color.parse(colors[f"{_CURSOR}-background"])
    under = ground.blend(marked.with_alpha(1), marked.a)
    letters = Color.parse(colors[f"{_CURSOR}-foreground"]).rich_color
    return {
        **dict.fromkeys(("axis", "rest"), faint),
        "label": Style.from_color(label.rich_color),
        **dict.fromkeys(("cursor", "selected"), Style(bgcolor=under.rich_color, color=letters)),
        "found": Style(
            bgcolor=Color.parse(colors["text-warning"]).rich_color, color=ground.rich_color
        ),
    }


def _ink(color: str) -> Style:
    return Style.from_color(Color.parse(color).rich_color)
