"""Entry point of the ``luthier`` command: runs the app and turns errors into sentences."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper

import typer

from luthier.trainers.errors import LuthierError

from .complaints import error_lines, unexpected_line, usage_lines
from .exit_codes import ExitCode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code; the console script hands it to the shell."""
    from .app import app

    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows another instead of ending the command.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(app)
    try:
        code = command.main(args=given, prog_name="luthier", standalone_mode=False)
    except typer.TyperException as error:
        return _complain(usage_lines(error), ExitCode.WRONG_INPUT)
    except LuthierError as error:
        if "--debug" in given:
            raise
        return _complain(error_lines(error), error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except OSError as error:
        if "--debug" in given:
            raise
        where = f"{error.filename}: " if error.filename else ""
        return _complain([f"{where}{error.strerror or error}."], ExitCode.WRONG_INPUT)
    except Exception as error:
        if "--debug" in given:
            raise
        return _complain([unexpected_line(error, given)], ExitCode.FAILED)
    return code if isinstance(code, int) else ExitCode.OK


def _complain(lines: Sequence[str], code: int) -> int:
    for line in lines:
        sys.stderr.write(f"error: {' '.join(line.split())}\n")
    return int(code)
