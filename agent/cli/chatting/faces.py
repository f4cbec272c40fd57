"""How a chat looks: on a terminal, and through pipes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from luthier.trainers.errors import LuthierError

from ... import text
from ...chat.conversation import figures
from ...models import GenerateChunk
from ..invocation import Invocation

NameOf = Callable[[str], str]
Stream = Callable[[str], Iterator[GenerateChunk]]


class PipeFace:
    """Answers to standard output, everything else to standard error."""

    def __init__(self, here: Invocation, *, as_json: bool = False) -> None:
        self._here = here
        self._as_json = as_json
        self.name_of: NameOf = str

    def answers(self, voices: Sequence[str], stream: Stream) -> dict[str, str]:
        """Each answer as it comes; with several voices each is preceded by its name."""
        if self._as_json:
            return self._json(voices, stream)
        said: dict[str, str] = {}
        for voice in voices:
            if len(voices) > 1:
                sys.stdout.write(f"[{self.name_of(voice)}] ")
            pieces = []
            for chunk in checked(stream(voice)):
                pieces.append(chunk.text)
                sys.stdout.write(chunk.text)
                sys.stdout.flush()
            sys.stdout.write("\n")
            said[voice] = "".join(pieces)
        return said

    def say(self, text: str) -> None:
        """A remark."""
        self._here.remark(text, style="")

    def retype(self, text: str) -> str:
        """Nobody is there to change it."""
        raise LuthierError("/edit needs the new text here: /edit TEXT.")

    def _json(self, voices: Sequence[str], stream: Stream) -> dict[str, str]:
        answers = []
        for voice in voices:
            pieces = []
            last = GenerateChunk()
            for last in checked(stream(voice)):
                pieces.append(last.text)
            figures = last.model_dump(exclude={"text", "error"})
            answers.append({"voice": voice, "answer": "".join(pieces), **figures})
        self._here.print_json_line({"answers": answers})
        return {str(each["voice"]): str(each["answer"]) for each in answers}


class TerminalFace:
    """Answers as they are written, side by side when two voices speak."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.name_of: NameOf = str

    def answers(self, voices: Sequence[str], stream: Stream) -> dict[str, str]:
        """Draw the answers; ctrl-c ends the one that is being written."""
        if len(voices) > 1:
            return self._columns(voices, stream)
        (voice,) = voices
        pieces = []
        last = GenerateChunk()
        self._console.print(Text(f"{self.name_of(voice)}: ", style="bold green"), end="")
        for last in checked(stream(voice)):
            pieces.append(last.text)
            self._console.print(Text(text.printable(last.text)), end="", soft_wrap=True)
        self._console.print()
        self._console.print(Text(figures(last), style="dim"))
        return {voice: "".join(pieces)}

    def say(self, text: str) -> None:
        """A remark."""
        self._console.print(Text(text, style="cyan"), soft_wrap=True)

    def retype(self, text: str) -> str:
        """The text on the input line, ready to be changed."""
        import readline

        readline.set_startup_hook(lambda: readline.insert_text(text))
        try:
            return input("> ")
        finally:
            readline.set_startup_hook(None)

    def _columns(self, voices: Sequence[str], stream: Stream) -> dict[str, str]:
        said = dict.fromkeys(voices, "")
        with Live(console=self._console, refresh_per_second=8) as live:
            for voice in voices:
                for chunk in checked(stream(voice)):
                    said[voice] += chunk.text
                    live.update(self._side_by_side(said))
        return said

    def _side_by_side(self, said: dict[str, str]) -> RenderableType:
        table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 0, 0))
        for voice in said:
            heading = Text(self.name_of(voice), style="bold green")
            table.add_column(heading, ratio=1, overflow="fold")
        table.add_row(*(Text(text.printable(answer)) for answer in said.values()))
        return table


def checked(chunks: Iterator[GenerateChunk]) -> Iterator[GenerateChunk]:
    """The pieces of an answer. Raises LuthierError when the model could not go on."""
    for chunk in chunks:
        if chunk.finish == "error":
            raise LuthierError(f"The model could not answer: {chunk.error}")
        yield chunk
