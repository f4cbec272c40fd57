"""``python -m luthier.agent [--port PORT]``: the agent in the foreground."""

from __future__ import annotations

import gc
import sys

# Looking for garbage in what the imports make costs a tenth of the start; the daemon turns it on.
gc.disable()

from .daemon import main  # noqa: E402

sys.exit(main(int(sys.argv[2]) if sys.argv[1:2] == ["--port"] else None))
