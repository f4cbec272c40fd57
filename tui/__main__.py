"""``python -m luthier.tui``: opens the terminal UI of LUTHIER_HOME."""

from __future__ import annotations

import sys

from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError

from .app import main

if __name__ == "__main__":
    try:
        main(Home.from_environment())
    except LuthierError as error:
        sys.exit(f"error: {error}")
