"""One attempt in a process that was forked with torch loaded; ``forking.Forked`` starts it."""

import os
import sys
from typing import Any

from luthier.trainers import launch

given: dict[str, Any] = globals()["GIVEN"]
os.setsid()
log = os.open(given["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(log, 1)
os.dup2(log, 2)
os.environ.clear()
os.environ.update(given["environment"])
sys.exit(launch.main([given["run"], str(given["attempt"])]))
