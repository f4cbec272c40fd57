"""Attempts for the tests: real supervisors over real process trees."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from luthier.agent.launching import ExitReport, LaunchPlan, SupervisorIdentity, observe
from luthier.agent.processes import ProcessIdentity, identity
from luthier.trainers.run_folder import AttemptFolder

DEADLINE_SECONDS = 60.0

# Like torchrun, starts children in sessions of their own; one is an orphan with an empty
# environment; all ignore SIGTERM. Then does what follows this text.
TREE = """
import json, os, signal, subprocess, sys, time
SLEEP = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print(os.getpid(), flush=True); time.sleep(600)"
)
ORPHAN = f"import os\\nif os.fork() == 0:\\n    os.setsid()\\n    exec({SLEEP!r})"
pids = [os.getpid()]
for code, environment in ((SLEEP, None), (ORPHAN, {}), (ORPHAN, None)):
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    pids.append(int(child.stdout.readline()))
    if code == ORPHAN:
        child.wait()
with open("pids.new", "w") as file:
    json.dump(pids, file)
os.rename("pids.new", "pids")
"""
WAIT = "time.sleep(600)\n"
LEAVE_WHEN_ASKED = "while not os.path.exists('stop'):\n    time.sleep(0.02)\nsys.exit(0)\n"
IGNORE_TERMINATE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def plan(attempt: AttemptFolder, code: str, **changes: Any) -> LaunchPlan:
    attempt.path.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "run_id": attempt.path.parent.name,
        "attempt": 1,
        "argv": [sys.executable, "-I", "-S", "-c", code],
        "cwd": str(attempt.path),
        "environment": {},
        "ask_seconds": 600.0,
        "terminate_seconds": 600.0,
        "heartbeat_seconds": 0.1,
    }
    return LaunchPlan(**{**settings, **changes})


def eventually(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.02)
    return value


def ended(attempt: AttemptFolder) -> ExitReport:
    report: ExitReport = eventually(lambda: observe(attempt).exit)
    eventually(lambda: not supervisor_of(attempt).is_alive())
    return report


def tree(attempt: AttemptFolder) -> list[ProcessIdentity]:
    """The processes of TREE, the worker first, once all are up."""
    eventually((attempt.path / "pids").exists)
    pids = json.loads((attempt.path / "pids").read_text())
    found = [identity(pid) for pid in pids]
    assert len(found) == 4
    return [process for process in found if process is not None]


def supervisor_of(attempt: AttemptFolder) -> SupervisorIdentity:
    found = SupervisorIdentity.read(attempt)
    assert found is not None
    return found


def none_lives(processes: list[ProcessIdentity]) -> bool:
    return len(processes) == 4 and not any(process.is_alive() for process in processes)
