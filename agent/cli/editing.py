"""A person's editor on a text."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from luthier.trainers.errors import LuthierError


def edited(text: str, *, suffix: str) -> str | None:
    """What VISUAL or EDITOR makes of the text; None when it stays as it was.

    Raises:
        LuthierError: there is no editor, or it ended with an error.
    """
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not chosen:
        raise LuthierError("No editor is chosen.", hint="Set EDITOR, for example to nano.")
    with tempfile.TemporaryDirectory(prefix="luthier-") as folder:
        path = Path(folder) / f"text{suffix}"
        path.write_text(text, encoding="utf-8")
        try:
            code = subprocess.call([*shlex.split(chosen), str(path)])
        except OSError as error:
            raise LuthierError(
                f"The editor {chosen} cannot be started: {error.strerror}."
            ) from error
        if code:
            raise LuthierError(f"The editor {chosen} ended with code {code}; nothing was kept.")
        after = path.read_text(encoding="utf-8")
    return after if after != text else None
