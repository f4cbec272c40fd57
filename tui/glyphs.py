"""The characters that the screens draw with: Unicode, or ASCII for terminals that lack it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from luthier.agent import text
from luthier.agent.states import RunState


@dataclass(frozen=True)
class Glyphs:
    """One set of characters. Each of the named ones is one cell wide.

    Attributes:
        unicode: whether anything outside ASCII may be drawn.
        states: a character for each state of a run.
        busy: pictures of something that goes on, one after the other.
    """

    unicode: bool
    states: Mapping[RunState, str]
    mark: str
    pointer: str
    up: str
    down: str
    left: str
    right: str
    dot: str
    circle: str
    check: str
    cross: str
    warning: str
    ellipsis: str
    vertical: str
    busy: tuple[str, ...]

    def state(self, state: RunState) -> str:
        """The character of a state."""
        return self.states[state]

    def bar(self, done: float, total: float, width: int) -> str:
        """A progress bar of ``width`` cells."""
        return text.bar(done, total, width, unicode=self.unicode)

    def sparkline(self, values: Sequence[float | None], width: int) -> str:
        """The course of ``values`` in at most ``width`` cells."""
        return text.sparkline(values, width, unicode=self.unicode)

    def cut(self, words: str, width: int) -> str:
        """``words`` on one line, cut to ``width`` cells with an ellipsis at the end."""
        flat = text.printable(" ".join(words.split()))
        if len(flat) <= width:
            return flat
        return (flat[: max(0, width - len(self.ellipsis))] + self.ellipsis)[: max(0, width)]


UNICODE = Glyphs(
    unicode=True,
    states={
        RunState.QUEUED: "◌",
        RunState.STARTING: "◔",
        RunState.RUNNING: "●",
        RunState.STOPPING: "◑",
        RunState.SUCCEEDED: "✓",
        RunState.FAILED: "✗",
        RunState.STOPPED: "■",
        RunState.LOST: "?",
    },
    mark="▸",
    pointer="›",
    up="▲",
    down="▼",
    left="←",
    right="→",
    dot="·",
    circle="●",
    check="✓",
    cross="✗",
    warning="!",
    ellipsis="…",
    vertical="│",
    busy=("⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"),
)

ASCII = Glyphs(
    unicode=False,
    states={
        RunState.QUEUED: ".",
        RunState.STARTING: "o",
        RunState.RUNNING: ">",
        RunState.STOPPING: "~",
        RunState.SUCCEEDED: "+",
        RunState.FAILED: "x",
        RunState.STOPPED: "#",
        RunState.LOST: "?",
    },
    mark="*",
    pointer=">",
    up="^",
    down="v",
    left="<",
    right=">",
    dot="-",
    circle="*",
    check="+",
    cross="x",
    warning="!",
    ellipsis="...",
    vertical="|",
    busy=("|", "/", "-", "\\"),
)


def choose(setting: str, environment: Mapping[str, str]) -> Glyphs:
    """The characters for this terminal.

    Args:
        setting: ``unicode``, ``ascii``, or ``auto``: Unicode wherever the locale has UTF-8 and the
            terminal is neither the Linux console nor a dumb one, whose fonts lack it.
        environment: the process's environment variables.
    """
    if setting == "auto":
        locale = next(
            (environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)),
            "",
        )
        # Terminals have spoken UTF-8 for long; only a locale that says otherwise counts against it.
        other = locale.partition(".")[2].upper().replace("-", "") not in ("", "UTF8")
        plain = environment.get("TERM", "") in ("linux", "dumb", "vt100", "vt220")
        return ASCII if other or plain else UNICODE
    return ASCII if setting == "ascii" else UNICODE


def _replacements() -> dict[int, str]:
    found = dict.fromkeys(range(9472, 9600), "+")
    found |= dict.fromkeys(map(ord, "─━┄┅┈┉╌╍═╴╶╸╺╼╾"), "-")
    found |= dict.fromkeys(map(ord, "│┃┆┇┊┋╎╏║╵╷╹╻╽╿"), "|")
    found |= dict.fromkeys(range(9600, 9632), "#")
    found |= dict.fromkeys(map(ord, "▏▕▌▐▎▊▍▋▉"), "|")
    found |= dict.fromkeys(map(ord, "▁▂▃▔▀▄"), " ")
    found |= dict.fromkeys(range(9632, 9728), "*")
    found |= dict.fromkeys(map(ord, "▶▸►▷"), ">") | dict.fromkeys(map(ord, "◀◂◄◁"), "<")
    found |= dict.fromkeys(map(ord, "▼▾▽"), "v") | dict.fromkeys(map(ord, "▲▴△"), "^")
    found |= dict.fromkeys(range(10241, 10496), ".") | {0x2800: " "}
    found |= dict.fromkeys(range(8592, 8704), "-")
    found |= dict(zip(map(ord, "←→↑↓⏎⇥␣"), "<>^v<>_", strict=True))
    return (
        found | dict(zip(map(ord, "✓✔✗✘•·…—–×›‹⭘"), "+vxx*-~--x><o", strict=True)) | {0x1F50E: "> "}
    )


class AsciiFilter(LineFilter):
    """Draws every line, box, block and arrow in ASCII; letters of any language stay."""

    _TABLE = _replacements()

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments in ASCII drawing."""
        return [
            segment if segment.text.isascii() else Segment(
                segment.text.translate(self._TABLE), segment.style, segment.control
            )
            for segment in segments
        ]  # fmt: skip
