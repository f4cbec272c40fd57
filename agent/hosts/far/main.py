"""The far end of a channel: requests in, answers and news out, until the other end is gone."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from . import attempts, caches, files, machine
from .attempts import TICK_SECONDS, Watched
from .wire import GREETING, Frame, Wire

_BEAT_SECONDS = 2.0
# The other end says something every few seconds; so long without a word means that it is gone,
# which a connection through a dead link would tell much later.
_SILENCE_SECONDS = 60.0

# Commands that run for the other end: the leaders of their process groups.
_RUNNING: set[int] = set()

_QUICK = {
    "hello": machine.hello,
    "caches": caches.caches,
    "sizes": files.sizes,
    "tail": files.tail,
    "stop": attempts.stop,
    "remove_empty": files.remove_empty,
}
_SLOW = {
    "start": attempts.start,
    "strays": attempts.end_strays,
    "report": machine.report,
    "listing": files.listing,
    "fingerprint": files.fingerprint,
    "seal": files.seal,
    "unpack": files.unpack,
    "link": files.link,
    "overlay": caches.overlay,
    "remove": files.remove,
}


class Far:
    """Serves one channel."""

    def __init__(self, wire: Wire, output: int) -> None:
        self._wire = wire
        self._output = output
        self._pool = ThreadPoolExecutor(max_workers=8)
        self._lock = threading.Lock()
        self._watched = {}  # type: Any
        self._sampling = 0.0
        self._heard_at = time.monotonic()

    def serve(self) -> None:
        """Answer until the other end is gone."""
        for work in (self._watch, self._tell, self._guard):
            threading.Thread(target=work, daemon=True).start()
        while True:
            frame = self._wire.receive()
            if frame is None:
                return
            self._heard_at = time.monotonic()
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        op = frame["op"]
        if op == "ping":
            return
        if op == "follow":
            self._answer(frame, self._follow)
        elif op == "unfollow":
            with self._lock:
                self._watched.pop(frame["key"], None)
        elif op == "sample":
            self._sampling = float(frame["seconds"])
        elif op == "write":
            body = self._wire.body(frame)
            self._answer(frame, lambda request: files.write(request, body))
        elif op == "take":
            body = self._wire.body(frame)
            self._answer(frame, lambda request: files.take(request, body))
        elif op == "give":
            # Not here: whoever fetches says meanwhile that they are there.
            give = partial(files.give, wire=self._wire)
            self._pool.submit(self._answer, frame, give)
        elif op == "become":
            self._answer(frame, self._become)
        elif op == "run":
            self._pool.submit(self._answer, frame, self._run)
        elif op in _QUICK:
            self._answer(frame, _QUICK[op])
        else:
            self._pool.submit(self._answer, frame, _SLOW[op])

    def _follow(self, frame: Frame) -> Frame:
        if frame["stop"]:
            # Somebody wanted it while there was no connection.
            attempts.stop(dict(frame, now=frame["stop"].get("now") is True))
        with self._lock:
            self._watched[frame["key"]] = Watched(frame)
        return {}

    def _answer(self, frame: Frame, work: Any) -> None:
        try:
            found = work(frame)
        except EOFError:
            leave()
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            problem = where + (error.strerror or str(error))
            found = {"error": problem, "errno": error.errno}
        except Exception as error:
            traceback.print_exc()
            found = {"error": f"{type(error).__name__}: {error}"}
        if found is not None:
            self._say(dict(found, id=frame["id"]))

    def _run(self, frame: Frame) -> Frame:
        """A command whose output is sent line by line as it comes."""
        process = subprocess.Popen(
            frame["argv"],
            env=dict(os.environ, **(frame.get("environment") or {})),
            cwd=frame.get("cwd"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _RUNNING.add(process.pid)
        if process.stdout is not None:
            with process.stdout as output:
                for line in output:
                    text = line.decode(errors="replace").rstrip("\n")
                    self._say({"id": frame["id"], "more": True, "line": text})
        code = process.wait()
        _RUNNING.discard(process.pid)
        return {"code": code}

    def _watch(self) -> None:
        while True:
            with self._lock:
                watched = list(self._watched.values())
            for each in watched:
                try:
                    ended = each.look(self._wire)
                except EOFError:
                    leave()
                except OSError:
                    # A file system that hiccups is asked again.
                    continue
                if ended:
                    with self._lock:
                        if self._watched.get(each.key) is each:
                            del self._watched[each.key]
            time.sleep(TICK_SECONDS)

    def _tell(self) -> None:
        """Say every now and then that we live, and how the machine is."""
        beat = sample = float("-inf")
        while True:
            now = time.monotonic()
            if now >= beat + _BEAT_SECONDS:
                beat = now
                self._say({"push": "beat"})
            if self._sampling and now >= sample + self._sampling:
                sample = now
                self._say(dict(machine.sample({}), push="hardware"))
            time.sleep(min(self._sampling or _BEAT_SECONDS, 0.25))

    def _guard(self) -> None:
        """Leave when nobody is there any more; sending to nobody may block for ever."""
        while time.monotonic() - self._heard_at < _SILENCE_SECONDS:
            time.sleep(1.0)
        leave()

    def _become(self, frame: Frame) -> None:
        """Be another program, whose standard streams are then those of the channel.

        Our answer comes first; the other end must not send anything before it has that.
        """
        os.makedirs(os.path.dirname(frame["log"]), mode=0o700, exist_ok=True)
        log = os.open(frame["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.chdir(frame["cwd"])
        if not os.access(frame["argv"][0], os.X_OK):
            raise OSError(errno.ENOENT, "cannot be run", frame["argv"][0])
        environment = dict(os.environ, **frame["environment"])
        self._wire.send({"id": frame["id"], "pid": os.getpid()})
        os.dup2(self._output, 1)
        os.dup2(log, 2)
        os.execve(frame["argv"][0], frame["argv"], environment)

    def _say(self, frame: Frame) -> None:
        try:
            self._wire.send(frame)
        except EOFError:
            leave()


def leave() -> None:
    """End at once, whatever other threads are doing, with the commands that nobody reads now."""
    for group in list(_RUNNING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
    os._exit(0)


def main() -> None:
    """Serve on this process's standard streams."""
    output = os.dup(1)
    # Whatever prints by accident must not break a frame.
    os.dup2(2, 1)
    sink = os.fdopen(output, "wb")
    sink.write(GREETING)
    sink.flush()
    with contextlib.suppress(EOFError):
        Far(Wire(sys.stdin.buffer, sink), output).serve()
    leave()
