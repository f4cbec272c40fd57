"""The themes: Luthier's own dark, light and high-contrast ones beside those of Textual."""

from __future__ import annotations

from rich.style import Style
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

DEFAULT = "luthier-dark"

OWN = (
    Theme(
        name=DEFAULT,
        primary="#d79a4b",
        secondary="#7fa7c9",
        accent="#e8b96a",
        warning="#e0a33e",
        error="#e5696b",
        success="#86bf74",
        foreground="#e6e1d8",
        background="#16161a",
        surface="#1d1d22",
        panel="#28282f",
        variables={"footer-key-foreground": "#e8b96a", "block-cursor-text-style": "none"},
    ),
    Theme(
        name="luthier-light",
        primary="#8a5410",
        secondary="#2d6690",
        accent="#9a5b0d",
        warning="#8f5a00",
        error="#b3262d",
        success="#2d7a2a",
        foreground="#26231e",
        background="#faf8f4",
        surface="#f1ede6",
        panel="#e6e0d5",
        dark=False,
        variables={"footer-key-foreground": "#8a5410", "block-cursor-text-style": "none"},
    ),
    Theme(
        name="luthier-contrast",
        primary="#ffd700",
        secondary="#00ffff",
        accent="#ffff00",
        warning="#ffbf00",
        error="#ff6060",
        success="#00ff00",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        text_alpha=1.0,
        variables={
            "footer-key-foreground": "#ffff00",
            "block-cursor-background": "#ffff00",
            "block-cursor-foreground": "#000000",
            "block-cursor-blurred-background": "#ffffff",
            "block-cursor-blurred-foreground": "#000000",
            "text-muted": "#ffffff",
        },
    ),
)


def names() -> list[str]:
    """Every theme there is, Luthier's own first."""
    own = [theme.name for theme in OWN]
    return own + sorted(name for name in BUILTIN_THEMES if name not in own)


def rich_style(value: str) -> Style:
    """A theme's colour as Rich draws it; one that is only a share of another is dim."""
    if not value or value.startswith("auto") or " " in value:
        return Style(dim=bool(value))
    return Style.from_color(Color.parse(value).rich_color)
