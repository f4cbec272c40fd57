"""Errors as people read them: one sentence a line, without a traceback."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from difflib import get_close_matches

import typer

from luthier.trainers.errors import LuthierError, ProblemsError

_PLAINER = {
    "Input should be a valid integer, unable to parse string as an integer": "not a whole number",
    "Input should be a valid number, unable to parse string as a number": "not a number",
    "Input should be": "it must be",
    "Value error, ": "",
    "argument(s)": "argument",
}
_GLOBAL_OPTIONS = ("--home", "--debug", "--no-color", "--version")


def error_lines(error: LuthierError) -> list[str]:
    """One line for every mistake that ``error`` carries."""
    if isinstance(error, ProblemsError):
        return [str(problem) for problem in error.problems]
    problems: Sequence[str] = getattr(error, "problems", ())
    return list(problems) or [str(error)]


def usage_lines(error: typer.TyperException) -> list[str]:
    """A wrong command, option or argument in one line that says where help is."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "luthier"
    sentence = _usage_sentence(error, path)
    return [sentence if "luthier " in sentence else f"{sentence} See: {path} --help"]


def unexpected_line(error: Exception, arguments: Sequence[str]) -> str:
    """A mistake of luthier's own, in one line that says how to see all of it."""
    text = " ".join(str(error).split())[:300]
    again = shlex.join(["luthier", "--debug", *arguments])
    return f"luthier itself failed: {type(error).__name__}: {text}. See where with: {again}"


def _usage_sentence(error: typer.TyperException, path: str) -> str:
    option = getattr(error, "option_name", None)
    if option in _GLOBAL_OPTIONS and path != "luthier":
        command = path.removeprefix("luthier ")
        return f"{option} goes before the command: luthier {option} {command}"
    text = " ".join(error.format_message().split())
    for wording, plain in _PLAINER.items():
        text = text.replace(wording, plain)
    possible = getattr(error, "possibilities", None)
    if possible:
        near = get_close_matches(str(option), possible, n=1, cutoff=0.0)[0]
        return f"{error.message}; did you mean {near}?"
    return text if text.endswith((".", "?", "!")) else f"{text}."
