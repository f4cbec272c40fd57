"""The command reference as Markdown, made from the commands themselves.

``python -m luthier.agent.cli.reference FOLDER`` writes it, and the reference of run specs,
into that folder.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from .exit_codes import ExitCode

_HEAD = """\
# Commands

Made from the code by `make docs`; do not edit.

`luthier` alone opens the terminal interface, or shows this list where there is none. Options of
`luthier` itself stand before the command: `luthier --home FOLDER runs`.

Every command but `agent run` takes `--json`: it then prints one JSON value, or one a line where
it follows something (`watch`, `logs --follow`, `hardware --watch`, `chat`), and nothing else on
standard output. Errors are one sentence each on standard error and begin with `error:`. Colours
are left out where the output is not a terminal, with `--no-color`, and when `NO_COLOR` is set.
"""


def command_reference() -> str:
    """The whole page."""
    from .app import app

    root = typer.main.get_command(app)
    lines = [_HEAD, "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code.value} | {_cell(code.meaning)} |" for code in ExitCode]
    lines += ["", "## luthier", ""]
    lines += _command(root, root.make_context("luthier", [], resilient_parsing=True))
    return "\n".join(lines).rstrip() + "\n"


def write_reference(folder: Path) -> list[Path]:
    """Write the generated pages; returns them."""
    from luthier.presets import tour
    from luthier.trainers.spec.reference import markdown

    pages = {
        folder / "commands.md": command_reference(),
        folder / "specs.md": markdown(),
        folder / "presets-tour.md": tour.markdown(),
    }
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return list(pages)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        if not each.hidden:
            yield from commands(each, (*path, name))


def _command(command: Any, context: Any) -> Iterator[str]:
    """One command, then those inside it."""
    yield from _text(command.help or "")
    yield from ("```", f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}")
    yield from ("```", "")
    records = [
        (parameter.param_type_name, *record)
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None and "--help" not in record[0]
    ]
    for kind in ("argument", "option"):
        rows = [(call, meaning) for what, call, meaning in records if what == kind]
        if rows:
            yield from (f"| {kind} | meaning |", "|---|---|")
            yield from (f"| `{_cell(call.strip())}` | {_cell(meaning)} |" for call, meaning in rows)
            yield ""
    for name, each in getattr(command, "commands", {}).items():
        inner = each.make_context(name, [], parent=context, resilient_parsing=True)
        yield from (f"{'##' if context.parent is None else '###'} {inner.command_path}", "")
        yield from _command(each, inner)


def _text(text: str) -> Iterator[str]:
    yield from inspect.cleandoc(text).splitlines()
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    for page in write_reference(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        print(f"Wrote {page}.")
