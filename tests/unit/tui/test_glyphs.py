"""Characters: which set a terminal gets, and that ASCII stays ASCII."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from luthier.agent.states import RunState
from luthier.tui.glyphs import ASCII, UNICODE, AsciiFilter, Glyphs, choose


@pytest.mark.parametrize(
    ("setting", "environment", "wanted"),
    [
        ("auto", {}, UNICODE),
        ("auto", {"LANG": "de_DE.UTF-8", "TERM": "xterm-256color"}, UNICODE),
        ("auto", {"LANG": "C.utf8"}, UNICODE),
        ("auto", {"LC_ALL": "de_DE.ISO-8859-1", "LANG": "C.UTF-8"}, ASCII),
        ("auto", {"LANG": "C.UTF-8", "TERM": "linux"}, ASCII),
        ("auto", {"TERM": "dumb"}, ASCII),
        ("unicode", {"TERM": "linux"}, UNICODE),
        ("ascii", {"LANG": "C.UTF-8"}, ASCII),
    ],
)
def test_the_terminal_decides_unless_a_person_does(
    setting: str, environment: dict[str, str], wanted: Glyphs
) -> None:
    assert choose(setting, environment) is wanted


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_state_has_a_character_of_its_own(glyphs: Glyphs) -> None:
    found = [glyphs.state(state) for state in RunState]
    assert len(set(found)) == len(found)
    assert all(cell_len(each) == 1 for each in found)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_all_single_characters_are_one_cell_wide(glyphs: Glyphs) -> None:
    skip = {"unicode", "states", "ellipsis", "busy"}
    singles = [value for name, value in vars(glyphs).items() if name not in skip]
    assert all(cell_len(each) == 1 for each in [*singles, *glyphs.busy])


def test_ascii_is_ascii() -> None:
    drawn = [
        *(ASCII.state(state) for state in RunState),
        ASCII.bar(1, 3, 10),
        ASCII.sparkline([1, 2, 3], 8),
        ASCII.cut("words " * 10, 12),
        *ASCII.busy,
    ]
    assert all(each.isascii() for each in drawn)


@given(st.text(), st.integers(min_value=0, max_value=40), st.sampled_from([UNICODE, ASCII]))
def test_cut_text_fits(words: str, width: int, glyphs: Glyphs) -> None:
    assert len(glyphs.cut(words, width)) <= width


def test_short_text_stays() -> None:
    assert UNICODE.cut("as it is", 8) == "as it is"


def filtered(text: str) -> str:
    return AsciiFilter().apply([Segment(text)], Color(0, 0, 0))[0].text


@pytest.mark.parametrize("text", ["╭──╮", "│▌▐█", "▁▂▇⠿⣿", "▼▲◂●○", "✓✗…", "🔎", "━╌"])
def test_drawing_becomes_ascii_of_the_same_width(text: str) -> None:
    drawn = filtered(text)
    assert drawn.isascii()
    assert cell_len(drawn) == cell_len(text)


@pytest.mark.parametrize("text", ["Straße", "日本語", "plain"])
def test_letters_of_any_language_stay(text: str) -> None:
    assert filtered(text) == text
