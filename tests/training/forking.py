"""Workers as real processes, forked from one that has the training libraries loaded already."""

from __future__ import annotations

import functools
import multiprocessing
import os
import runpy
import signal
import subprocess
from multiprocessing.context import ForkServerContext
from pathlib import Path

from luthier.trainers.registry import tasks
from luthier.trainers.run_folder import RunFolder

_WORKER = Path(__file__).with_name("forked_worker.py")


class Forked:
    """An attempt in a session of its own, in the manner of ``subprocess.Popen``.

    Every signal ends, stops or kills it as it would one that was started; only the seconds in
    which an interpreter loads torch are spared.
    """

    def __init__(self, run: RunFolder, number: int) -> None:
        log = run.attempt(number).output
        log.parent.mkdir(parents=True, exist_ok=True)
        given = {
            "run": str(run.path),
            "attempt": number,
            "log": str(log),
            "environment": dict(os.environ),
        }
        self._process = _server().Process(
            target=runpy.run_path,
            args=(str(_WORKER),),
            kwargs={"init_globals": {"GIVEN": given}},
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id, which is its session's too."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or the signal's number below zero; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same as ``returncode``."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(_WORKER), timeout or 0)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


@functools.cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    modules = {task.train.split(":")[0] for task in tasks().values()}
    context.set_forkserver_preload(["pytest", "luthier.trainers.launch", *sorted(modules)])
    return context
