"""Questions that only a process with the training packages can answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_LAST_WORDS = 500


@dataclass(frozen=True)
class Ended:
    """How a worker ended and what it wrote."""

    code: int
    out: bytes
    errors: bytes

    @property
    def last_words(self) -> str:
        """The last line of its standard error."""
        lines = self.errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:_LAST_WORDS] if lines else f"the process ended with code {self.code}"


async def run_worker(arguments: Sequence[str], *, offline: bool) -> Ended:
    """Run a command to its end; it is killed with all its children when this is cancelled.

    Raises:
        OSError: it cannot be started.
    """
    environment = {**os.environ, "PYTHONUTF8": "1", "CUDA_VISIBLE_DEVICES": ""}
    if offline:
        environment["HF_HUB_OFFLINE"] = "1"
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, out, errors)


def module_command(module: str, *arguments: str) -> list[str]:
    """``python -m module`` with this interpreter, safe from a folder called like a package."""
    safe = ["-P"] if sys.version_info >= (3, 11) else []
    return [sys.executable, *safe, "-m", module, *arguments]
