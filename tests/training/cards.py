"""The code of a result's model card, run as its reader would."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path


def run_card(folder: Path) -> str:
    """What the card's code prints; it must do with the public libraries."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    assert not re.search(r"(import|from) luthier", code)
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {"__name__": "card"})
    return said.getvalue()
