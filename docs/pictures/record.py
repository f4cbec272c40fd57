"""Records the pictures of README.md and docs/terminal-ui.md from the real thing.

    make pictures

The terminal UI runs in a pseudo-terminal, over a real agent in a home of its own, which trains the
demo model twice and talks to it; nothing is fetched. It takes about five minutes. ``demo.svg`` is
the film, the others are stills.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from luthier.agent.client import Client
from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SIZE = 100, 30
_LONG, _LOOK, _SETTLE = 300.0, 0.5, 3.0
_COLORS = {
    "black": "#000000", "red": "#cc5555", "green": "#5fa55f", "brown": "#c0a050",
    "blue": "#5580cc", "magenta": "#b070b0", "cyan": "#50a0a0", "white": "#d0d0d0",
}  # fmt: skip
_FOREGROUND, _BACKGROUND = "#e6e1d8", "#16161a"
_SLOWER_STEPS = 60


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"luthier_record_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


drawing = _load(ROOT / "tests" / "tui" / "snapshots" / "drawing.py")
terminals = _load(ROOT / "tests" / "benchmarks" / "terminal.py")


class Recorder:
    """The terminal UI at work, and what was seen of it.

    Args:
        folder: where its home and its working folder lie; the pictures show another name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.work = folder / "work"
        self.work.mkdir()
        # So that no picture shows where this checkout lies.
        (folder / "luthier").symlink_to(ROOT / ".src" / "luthier")
        self.film: list[tuple[float, list[Any]]] = []
        environment = {
            "LUTHIER_HOME": str(self.home),
            "HF_HOME": str(folder / "hub"),
            "PYTHONPATH": str(folder),
            "PWD": str(self.work),
        }
        before = Path.cwd()
        os.chdir(self.work)
        self.terminal = terminals.Terminal(terminals.LUTHIER, SIZE, **environment)
        os.chdir(before)

    def rows(self) -> list[Any]:
        """The screen as it is drawn."""
        found = []
        for cells in self.terminal.cells():
            pieces = [self._piece(*cell) for cell in cells if cell[0]]
            found.append(tuple(map(_anywhere, drawing.joined(pieces))))
        return found

    def _piece(self, text: str, color: str, below: str, bold: bool, italic: bool,
               underline: bool, strike: bool, reverse: bool, *_: Any) -> Any:  # fmt: skip
        front, back = _named(color, _FOREGROUND), _named(below, _BACKGROUND)
        if reverse:
            front, back = back, front
        return drawing.Piece(text, front, back, bold, italic, underline)

    def settle(self, quiet: float) -> None:
        """Wait until nothing is drawn for so many seconds; a cursor that blinks never ends."""
        deadline = time.monotonic() + _SETTLE
        while time.monotonic() < deadline and self.terminal.read(quiet):
            pass

    def show(self, seconds: float) -> None:
        """Take the screen into the film, for so long."""
        self.settle(0.3)
        self.film.append((seconds, self.rows()))

    def still(self, name: str) -> None:
        """Write the screen as a picture."""
        self.settle(0.7)
        self._write(name, drawing.still(self.rows()))

    def end(self, name: str) -> None:
        """Write the film."""
        self._write(name, drawing.film(self.film))

    def _write(self, name: str, drawn: str) -> None:
        shown = drawn.replace(self.folder.name, "luthier-pictures")
        for left in range(1, len(self.folder.name)):
            shown = shown.replace(f"…{self.folder.name[left:]}/", f"…{'luthier-pictures'[left:]}/")
        (HERE / f"{name}.svg").write_text(shown, encoding="utf-8")
        sys.stdout.write(f"{name}.svg  {len(shown.encode()) / 1000:.0f} kB\n")
        sys.stdout.flush()

    def press(self, keys: str, *words: str, seconds: float = 0.0) -> None:
        """Press keys, wait for words, and show what there is then."""
        for key in re.findall(r"\x1b\[[A-Z]|.", keys, re.DOTALL):
            self.terminal.press(key)
            self.terminal.read(0.15)
            if key == "\x1b":
                # A key straight after it would be one with alt.
                time.sleep(1.0)
        self.sees(*words)
        if seconds:
            self.show(seconds)

    def type(self, text: str) -> None:
        """Type a text, a few letters at a time, as the film shows it."""
        for begin in range(0, len(text), 4):
            self.press(text[begin : begin + 4], seconds=0.12)

    def sees(self, *words: str) -> None:
        """Wait for words."""
        self.until(lambda: all(any(each in line for line in self.terminal.lines) for each in words))

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something."""
        self.terminal.until(condition, _LONG)

    def follow(self, word: str, *, frames: int, seconds: float) -> None:
        """Watch until the word is there, and show that in so many frames."""
        seen = [self.rows()]
        while word not in self.terminal.text:
            deadline = time.monotonic() + _LOOK
            while time.monotonic() < deadline:
                self.terminal.read(0.1)
            if self.rows() != seen[-1]:
                seen.append(self.rows())
        chosen = {round(place * (len(seen) - 1) / frames) for place in range(frames + 1)}
        self.film += [(seconds, seen[place]) for place in sorted(chosen)]

    def close(self) -> None:
        """End the terminal UI and the agent."""
        self.terminal.close()
        client = Client(Home(self.home), start=False)
        with suppress(LuthierError):
            client.shutdown()
        client.close()


def _anywhere(piece: Any) -> Any:
    """The piece without the place of this checkout, which the agent may have resolved."""
    return replace(piece, text=piece.text.replace(f"{ROOT}/", "luthier/"))


def _named(color: str, default: str) -> str:
    if color == "default":
        return default
    return _COLORS.get(color, f"#{color}" if re.fullmatch(r"[0-9a-f]{6}", color) else default)


def record(recorder: Recorder) -> None:
    """The film first, then the stills that it has not shown."""
    recorder.sees("Welcome to Luthier")
    recorder.still("welcome")
    recorder.show(2.0)
    recorder.press("b", "presets and setups", "Demo")
    recorder.press("g", "To see it work", seconds=1.2)
    _set_up(recorder, {"name": "dates"}, filmed=True)
    recorder.follow("succeeded", frames=30, seconds=0.3)
    recorder.sees("100%")
    recorder.still("run")
    recorder.show(1.5)
    recorder.press("3", "expected", seconds=2.0)
    _chat(recorder)
    # The chat, the run, and the library that led there.
    recorder.press("qqq", "1 in all", seconds=1.5)
    recorder.end("demo")
    _stills(recorder)


def _set_up(recorder: Recorder, settings: dict[str, Any], *, filmed: bool) -> None:
    """From the library through the form to the run."""
    recorder.press("n", "new run", "ready", seconds=1.5 * filmed)
    recorder.press("e", "all settings")
    for key, value in settings.items():
        recorder.press("/", "words of a setting's name")
        recorder.press(f"{key}\r", f"{key} ")
        recorder.press("g\r\x15")
        recorder.press(f"{value}\r", str(value))
        recorder.press("\x1b", "data")
    recorder.press("e", "few settings")
    recorder.press("g", seconds=1.0 * filmed)
    if filmed:
        recorder.still("new-run")
    recorder.press("L", "Start this run?", seconds=1.5 * filmed)
    recorder.press("\r", "1 Charts", settings["name"])


def _chat(recorder: Recorder) -> None:
    recorder.press("t", "Ask something", seconds=0.8)
    recorder.until(lambda: "Type a question" in recorder.terminal.text)
    recorder.show(1.0)
    recorder.press("\x1b")
    recorder.press("bi", seconds=0.6)
    recorder.type("the twenty-first of November 2026")
    recorder.press("\r")
    recorder.until(lambda: recorder.terminal.text.count("tokens/s") >= 2)
    recorder.still("chat")
    recorder.show(3.0)
    recorder.press("\x1b")


def _stills(recorder: Recorder) -> None:
    recorder.press("b", "Demo")
    slower = {"name": "dates-slower", "training.max_steps": _SLOWER_STEPS,
              "training.learning_rate": "0.001", "evaluation.steps": 12,
              "training.save_steps": 12}  # fmt: skip
    _set_up(recorder, slower, filmed=False)
    recorder.sees("succeeded", "100%")
    recorder.press("qq", "2 in all")
    recorder.still("runs")
    recorder.press("g j ", "2 marked")
    recorder.press("c", "compare", "by step")
    recorder.still("compare")
    recorder.press("q", "2 in all")
    recorder.press("m", ", load ")
    recorder.still("machines")
    recorder.press("qb", "Demo")
    recorder.still("library")
    recorder.press("ql", "What may I call you?")
    recorder.press("\x1b", "/ search")
    recorder.press("G", "topic")
    recorder.still("learn")
    recorder.press("q,", "Key profile")
    recorder.still("settings")
    recorder.press("q?", "Keys: runs")
    recorder.still("help")
    recorder.press("\x1b")
    recorder.until(lambda: "Keys: runs" not in recorder.terminal.text)
    recorder.press("n", "What do you want to train?")
    recorder.press("jj", "A row of the data")
    recorder.still("tasks")
    _data(recorder)


def _data(recorder: Recorder) -> None:
    rows = [("How do I glue a loose seam?", "Warm the glue, and clamp for a night."),
            ("Which wood is the top made of?", "Spruce, dried for five years or more."),
            ("Why does my peg slip?", "It has worn smooth; chalk makes it hold.")]  # fmt: skip
    lines = (json.dumps({"prompt": ask, "completion": answer}) for ask, answer in rows)
    (recorder.work / "advice.jsonl").write_text("\n".join(lines) + "\n")
    while "llm-sft" not in recorder.terminal.text:
        recorder.press("j")
        recorder.settle(0.4)
    recorder.press("\r", "to mend", "data")
    recorder.press("/", "words of a setting's name")
    recorder.press("data.path\rg\r", "dataset")
    recorder.until(lambda: any(each in recorder.terminal.text for each in ("other data", "sample")))
    if "other data" in recorder.terminal.text:
        recorder.press("b", "sample")
    recorder.press("g\r", "Rows as the model will see them")
    recorder.still("data")


def main() -> None:
    """Record in a folder that is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="luthier-", dir="/tmp"))
    recorder = Recorder(folder)
    try:
        record(recorder)
    finally:
        recorder.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
