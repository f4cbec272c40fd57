"""The person's token for the hub, read where the hub's own library keeps it."""

from __future__ import annotations

import os
from pathlib import Path


def hub_token() -> str | None:
    """The token of the environment, or of the file that ``hf auth login`` wrote; None without."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if found := os.environ.get(name, "").strip():
            return found
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    path = Path(os.environ.get("HF_TOKEN_PATH") or f"{home}/token").expanduser()
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
