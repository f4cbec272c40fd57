"""``python -m luthier.agent``: the agent in the foreground."""

from __future__ import annotations

import gc
import sys

# What the imports make lives as long as the process: looking for garbage in it costs a tenth of
# the start, and later looks may leave it out.
gc.disable()

from .daemon import main  # noqa: E402

gc.freeze()
gc.enable()
sys.exit(main())
