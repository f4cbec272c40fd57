"""Entry point of the ``luthier`` command: runs the app and turns errors into sentences."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper

from luthier.trainers.errors import LuthierError

from .exit_codes import ExitCode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code; the console script hands it to the shell."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows another instead of ending the command.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        # While modules are imported, too.
        return ExitCode.INTERRUPTED


def _run(given: list[str]) -> int:
    import typer

    from .app import app
    from .complaints import error_lines, unexpected_line, usage_lines

    command = typer.main.get_command(app)
    try:
        code = command.main(args=given, prog_name="luthier", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _complain(usage_lines(error), ExitCode.WRONG_INPUT)
    except LuthierError as error:
        if "--debug" in given:
            raise
        return _complain(error_lines(error), error.exit_code)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except SystemExit as leaving:
        if leaving.code != 1 or "_LUTHIER_COMPLETE" in os.environ:
            raise
        # It is how typer and rich leave when whoever read their output has gone.
        return _give_output_up(ExitCode.READER_GONE)
    except BrokenPipeError:
        return _give_output_up(ExitCode.READER_GONE)
    except OSError as error:
        if "--debug" in given:
            raise
        return _complain_of_system(error)
    except Exception as error:
        if "--debug" in given:
            raise
        return _complain([unexpected_line(error, given)], ExitCode.FAILED)
    return code if isinstance(code, int) else ExitCode.OK


def _complain_of_system(error: OSError) -> int:
    full = error.errno == errno.ENOSPC and not error.filename
    where = error.filename or ("standard output" if full else "")
    code = _complain(
        [f"{where}: {error.strerror or error}.".removeprefix(": ")], ExitCode.WRONG_INPUT
    )
    return _give_output_up(ExitCode.WRONG_INPUT) if full else code


def _open_closed_streams() -> None:
    """A shell may close any of the three streams; Python then has None in their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nothing, mode, encoding="utf-8"))


def _give_output_up(code: ExitCode) -> ExitCode:
    """What was not written yet is never written, so that Python's end does not fail on it."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.__stdout__.fileno() if sys.__stdout__ else 1)
        os.close(nothing)
    return code


def _complain(lines: Sequence[str], code: int) -> int:
    for line in lines:
        sys.stderr.write(f"error: {' '.join(line.split())}\n")
    return int(code)
