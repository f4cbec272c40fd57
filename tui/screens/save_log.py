"""The whole log of an attempt as a file of the person's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from luthier.agent.text import size
from luthier.trainers.errors import LuthierError

from .ask_file import ask_file
from .base import LuthierScreen
from .dialog import LineDialog

if TYPE_CHECKING:
    from luthier.agent.client import Client

    from ..asking import Wait

_PIECE = 1 << 20


def ask_to_save(screen: LuthierScreen, run_id: str, attempt: int) -> None:
    """Ask for a file, and write what an attempt has put out so far."""

    def write(path: Path) -> None:
        waits: list[Wait[int]] = []

        def wanted() -> bool:
            return not any(wait.is_cancelled for wait in waits)

        waits.append(
            screen.ask(
                lambda client: save_log(client, run_id, attempt, path, wanted),
                lambda written: screen.notify(f"Wrote {path}, {size(written)}", markup=False),
                doing=f"writing {path.name}",
            )
        )

    path = Path.cwd() / f"{run_id}-attempt-{attempt}.log"
    ask_file(screen, LineDialog("Write the log to", str(path)), write)


def save_log(
    client: Client, run_id: str, attempt: int, path: Path, wanted: Callable[[], bool]
) -> int:
    """Write what an attempt has put out so far; returns how many bytes.

    Args:
        wanted: asked before each piece; once it says no, no file is left.

    Raises:
        LuthierError: the agent does not answer, or the file cannot be written.
    """
    written = 0
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            while wanted():
                part = client.log(run_id, attempt=attempt, offset=written, limit=_PIECE)
                if not part.data:
                    beside.replace(path)
                    return written
                written += file.write(part.data)
    except OSError as error:
        raise LuthierError(f"{path}: {error.strerror or error}.") from error
    finally:
        beside.unlink(missing_ok=True)
    return 0
