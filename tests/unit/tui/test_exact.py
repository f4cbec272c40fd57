"""Output without repeated styles paints the same screen."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st

from luthier.tui.exact import without_repeats

_PIECES = st.tuples(
    st.sampled_from(["", "\x1b[31m", "\x1b[1;38;2;1;2;3;48;2;4;5;6m", "\x1b[7m"]),
    st.text("ab┃⣿ ", max_size=4),
    st.one_of(st.none(), st.tuples(st.integers(1, 5), st.integers(1, 20))),
)


def painted(written: str) -> pyte.Screen:
    screen = pyte.Screen(20, 5)
    pyte.Stream(screen).feed(written)
    return screen


@given(st.lists(_PIECES, max_size=20))
def test_the_screen_is_the_same_and_the_bytes_are_fewer(
    pieces: list[tuple[str, str, tuple[int, int] | None]],
) -> None:
    written = ""
    for style, text, place in pieces:
        written += f"\x1b[{place[0]};{place[1]}H" if place else ""
        written += f"{style}{text}\x1b[0m" if style else text
    shorter = without_repeats(written)
    assert len(shorter) <= len(written)
    one, other = painted(written), painted(shorter)
    for y in range(5):
        assert [one.buffer[y][x] for x in range(20)] == [other.buffer[y][x] for x in range(20)]
    assert other.cursor.attrs == one.cursor.attrs


def test_a_style_is_set_once_for_cells_that_lie_apart() -> None:
    red = "\x1b[31m"
    written = f"\x1b[1;1H{red}a\x1b[0m\x1b[2;5H{red}b\x1b[0m"
    assert without_repeats(written) == f"\x1b[1;1H{red}a\x1b[2;5Hb\x1b[0m"
