"""Colours of pictures: readable in every theme, none invisible, ansi themes keep their own."""

from __future__ import annotations

import pytest
from rich.color import ColorType
from rich.style import Style
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from luthier.tui.palette import CURVES, style_of
from luthier.tui.themes import OWN

_THEMES = [*OWN, *(theme for theme in BUILTIN_THEMES.values() if not theme.ansi)]
_INKS = (*(f"line-{n}" for n in range(CURVES)), "label", "key", "good", "warning", "error")


def ratio(ink: Color, ground: Color) -> float:
    """The contrast of two colours as WCAG 2 defines it, 1 to 21."""

    def luminance(color: Color) -> float:
        parts = [part / 255 for part in color.rgb]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", _THEMES, ids=lambda theme: theme.name)
def test_everything_can_be_told_from_the_ground(theme: Theme) -> None:
    variables = theme.to_color_system().generate()

    def style(name: str) -> Style:
        return style_of(name, variables, dark=theme.dark, ansi=False)

    ground = Color.parse(variables["background"])
    for name in _INKS:
        color = style(name).color
        assert color is not None
        assert ratio(Color.from_rich_color(color), ground) > 1.8, name
    axis, label = (Color.from_rich_color(style(name).color) for name in ("axis", "label"))
    assert 1.2 < ratio(axis, ground) < ratio(label, ground)
    for name in ("selected", "found"):
        ink, under = style(name).color, style(name).bgcolor
        assert ratio(Color.from_rich_color(ink), Color.from_rich_color(under)) > 2.5, name


def test_the_terminal_s_own_colours_are_not_mixed() -> None:
    theme = BUILTIN_THEMES["ansi-dark"]
    variables = theme.to_color_system().generate()
    for name in (*_INKS, "axis", "selected", "found"):
        style = style_of(name, variables, dark=True, ansi=True)
        for color in (style.color, style.bgcolor):
            assert color is None or color.type is not ColorType.TRUECOLOR
    assert style_of("selected", variables, dark=True, ansi=True).reverse


def test_what_has_no_name_changes_nothing() -> None:
    assert style_of("", {}, dark=True, ansi=True) == Style.null()
