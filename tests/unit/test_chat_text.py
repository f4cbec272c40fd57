"""Answers piece by piece: whole characters, stop texts, and never another text than at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from luthier.trainers.chat.text import AnswerText, StopText, TokenText


def decode_bytes(tokens: list[int]) -> str:
    """What a tokenizer with one token a byte does."""
    return bytes(tokens).decode("utf-8", errors="replace")


def decode_words(tokens: list[int]) -> str:
    """What a tokenizer does that drops the space before the first word of a text."""
    return " ".join(f"w{token}" for token in tokens)


_BYTES = st.one_of(
    st.lists(st.integers(0, 255), max_size=40),
    st.text(max_size=20).map(lambda text: list(text.encode("utf-8", errors="surrogatepass"))),
)


def _streamed(tokens: list[int], decode=decode_bytes) -> list[str]:  # type: ignore[no-untyped-def]
    text = TokenText(decode)
    return [*(text.add(token) for token in tokens), text.end()]


@given(_BYTES)
def test_pieces_joined_are_the_whole_text(tokens: list[int]) -> None:
    assert "".join(_streamed(tokens)) == decode_bytes(tokens)


@given(st.lists(st.integers(0, 99), max_size=30))
def test_tokens_that_depend_on_their_place_are_joined_right(tokens: list[int]) -> None:
    assert "".join(_streamed(tokens, decode_words)) == decode_words(tokens)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=20))
def test_no_piece_has_half_a_character(text: str) -> None:
    pieces = _streamed(list(text.encode()))
    assert all("\ufffd" not in piece for piece in pieces)
    assert pieces[-1] == ""


def test_a_character_appears_with_its_last_byte() -> None:
    assert _streamed(list("aä€".encode())) == ["a", "", "ä", "", "", "€", ""]


def _cut(text: str, stops: list[str]) -> str:
    """The text before the stop text that is complete first, the longest of them in a tie."""
    hits = [
        (end, end - len(stop))
        for stop in stops
        for end in range(len(stop), len(text) + 1)
        if text[:end].endswith(stop)
    ]
    return text[: min(hits)[1]] if hits else text


@given(
    st.lists(st.text("ab<|>", max_size=4), max_size=12),
    st.lists(st.text("ab<|>", min_size=1, max_size=4), max_size=3),
)
def test_stop_texts_cut_the_same_however_the_text_comes(
    pieces: list[str], stops: list[str]
) -> None:
    whole = "".join(pieces)
    assert _through(list(whole), stops) == _cut(whole, stops)
    assert _through(pieces, stops) == _cut(whole, stops)


def _through(pieces: list[str], stops: list[str]) -> str:
    stop = StopText(stops)
    return "".join([*(stop.add(piece) for piece in pieces), stop.end()])


def test_what_might_become_a_stop_text_is_held_back() -> None:
    stop = StopText(["<end>"])
    assert [stop.add(piece) for piece in ("hi<", "en", "t <end", ">x", "y")] == [
        "hi",
        "",
        "<ent ",
        "",
        "",
    ]
    assert stop.found
    assert stop.end() == ""


@given(_BYTES, st.lists(st.text("ab\ufffd", min_size=1, max_size=2), max_size=2))
def test_answer_counts_tokens_and_says_when_it_is_stopped(
    tokens: list[int], stops: list[str]
) -> None:
    answer = AnswerText(decode_bytes, stops)
    text = "".join([*(answer.add(token) for token in tokens), answer.end()])
    whole = decode_bytes(tokens)
    assert answer.tokens == len(tokens)
    assert answer.stopped == any(stop in whole for stop in stops)
    assert text == _cut(whole, stops)
