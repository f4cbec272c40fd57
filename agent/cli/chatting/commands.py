"""The slash commands of a chat: their names, help, and how a line is read."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from luthier.trainers.errors import LuthierError

# name: (what follows it, what it does)
COMMANDS: dict[str, tuple[str, str]] = {
    "base": ("", "let the base model answer"),
    "adapter": ("[RUN]", "let the adapter answer, or the one named"),
    "switch": ("", "go to the next voice"),
    "both": ("", "let base model and adapter answer side by side"),
    "system": ("[TEXT]", "set the system prompt; without a text, remove it"),
    "set": ("[NAME VALUE]", "temperature, top_p, top_k, repetition_penalty, max_new_tokens, seed"),
    "preset": ("NAME", "deterministic, balanced or creative"),
    "samples": ("[NUMBER]", "list prompts from the run's data, or ask one"),
    "regenerate": ("", "answer the last question again"),
    "edit": ("[TEXT]", "change the last question and ask it again"),
    "undo": ("", "take the last question and answer back"),
    "clear": ("", "forget the conversation"),
    "export": ("FILE", "write the conversation to a .md or .jsonl file"),
    "help": ("", "show this"),
    "quit": ("", "leave; so does ctrl-d"),
}
_SHORT = {"exit": "quit", "q": "quit", "?": "help", "retry": "regenerate"}


@dataclass(frozen=True)
class Command:
    """A slash command as it was typed."""

    name: str
    argument: str = ""


def read_line(line: str) -> Command | str:
    """A command, or the text to say; ``//`` starts a text with a slash.

    Raises:
        LuthierError: there is no such command; names the nearest.
    """
    line = line.strip()
    if line.startswith("//"):
        return line[1:]
    if not line.startswith("/"):
        return line
    word, _, argument = line[1:].partition(" ")
    name = _SHORT.get(word, word)
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"Did you mean /{near[0]}?" if near else "See /help."
        raise LuthierError(f"There is no command /{word}.", hint=hint)
    return Command(name, argument.strip())


def help_lines() -> list[str]:
    """A line for every command."""
    shown = [(f"/{name} {rest}".strip(), what) for name, (rest, what) in COMMANDS.items()]
    width = max(len(call) for call, _ in shown)
    lines = [f"{call.ljust(width)}  {what}" for call, what in shown]
    return [*lines, f"{'ctrl-c'.ljust(width)}  stop the answer that is being written"]
