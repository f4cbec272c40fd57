"""From tokens to text, piece by piece: whole characters only, and nothing after a stop text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[list[int]], str]

# What decoders write for bytes that are not yet, or never become, a character.
_INCOMPLETE = "\ufffd"


class TokenText:
    """Decodes tokens one by one; the pieces joined equal all tokens decoded at once.

    Only the tokens since the last settled piece are decoded again, together with the piece before
    them, because some tokenizers decode a token differently at the start of a text.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._settled = 0

    def add(self, token: int) -> str:
        """The characters that this token completes, perhaps none."""
        self._tokens.append(token)
        piece = self._piece()
        if not piece or piece.endswith(_INCOMPLETE):
            return ""
        del self._tokens[: self._settled]
        self._settled = len(self._tokens)
        return piece

    def end(self) -> str:
        """What is left: bytes that never became a character."""
        piece = self._piece()
        self._tokens, self._settled = [], 0
        return piece

    def _piece(self) -> str:
        before = self._decode(self._tokens[: self._settled])
        return self._decode(self._tokens)[len(before) :]


class StopText:
    """Lets text through up to the first stop text; holds back what might become one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.found = False

    def add(self, text: str) -> str:
        """The part of the text so far that is safe to show now."""
        if self.found:
            return ""
        self._held += text
        # The stop text that is complete first counts, however the text was cut into pieces.
        hits = [
            (start + len(stop), start)
            for stop in self._stops
            if (start := self._held.find(stop)) >= 0
        ]
        if hits:
            self.found = True
            return self._held[: min(hits)[1]]
        cut = len(self._held) - self._longest_beginning()
        safe, self._held = self._held[:cut], self._held[cut:]
        return safe

    def end(self) -> str:
        """What was held back and did not become a stop text."""
        held, self._held = self._held, ""
        return "" if self.found else held

    def _longest_beginning(self) -> int:
        """Length of the longest end of the held text that begins a stop text."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0


class AnswerText:
    """One answer in the making: tokens in, showable text out."""

    def __init__(self, decode: Decode, stops: Sequence[str]) -> None:
        self._characters = TokenText(decode)
        self._filter = StopText(stops)
        self.tokens = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop text came up."""
        return self._filter.found

    def add(self, token: int) -> str:
        """The text that may be shown once this token is there."""
        self.tokens += 1
        return self._filter.add(self._characters.add(token))

    def end(self) -> str:
        """The rest, when no more tokens come."""
        return self._filter.add(self._characters.end()) + self._filter.end()
